"""The kernel: one pure state machine that owns a session. No I/O, no clock, no user objects."""
