"""Fields: what a caller says when asked for a value, and the value. Pure: words in, value out; no clock, no session."""
