"""The takeover campaign: a worker as a real tree of processes with callers who talk, whose processes are killed and stopped; and a
checker of what was stored, what was heard and what was done."""
