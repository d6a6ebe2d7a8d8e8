"""Sound: frames, the media plane and its parts, the seam to the core. No user code, no provider sockets."""
