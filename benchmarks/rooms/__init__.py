"""What ``workers.py`` starts and watches: a LiveKit server, the workers of both sides, the callers. No row knows the inside
of a worker."""
