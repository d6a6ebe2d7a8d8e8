"""Turn-taking policy: pure functions over evidence. No state, no clock, no I/O."""
