"""Two stacks that answer WebRTC calls, and the callers: what ``webrtc.py`` starts, one process each."""
