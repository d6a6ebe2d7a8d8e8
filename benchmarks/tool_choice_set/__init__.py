"""Requests in the style of speech and the tools they are for. ``toolsets.py`` and ``requests.jsonl`` are held out."""
