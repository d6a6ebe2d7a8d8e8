"""Measures that a user runs on recordings of their own (``antiphon bench``). Nothing here is used during a call."""
