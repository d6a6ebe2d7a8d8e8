"""Bodies of uploads: ``multipart/form-data`` (RFC 7578) and the WAV header that makes PCM a file.

Owns: bytes in, bytes out. Never: sockets, files.
"""

from __future__ import annotations

import struct
from hashlib import sha256

import msgspec


class Part(msgspec.Struct, frozen=True):
    """A field of a form. ``filename`` and ``content_type``: for files."""

    name: str
    data: bytes
    filename: str = ""
    content_type: str = ""


def multipart(parts: tuple[Part, ...]) -> tuple[bytes, str]:
    """The body and its ``Content-Type``. The boundary follows from the content, so equal forms give equal bytes."""
    digest = sha256()
    for part in parts:
        digest.update(part.name.encode() + b"\0" + part.data)
    boundary = f"antiphon-{digest.hexdigest()[:40]}"
    body = bytearray()
    for part in parts:
        filename = f'; filename="{_quoted(part.filename)}"' if part.filename else ""
        kind = f"Content-Type: {part.content_type}\r\n" if part.content_type else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"{filename}\r\n{kind}\r\n'
        body += head.encode() + part.data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def wav_bytes(pcm: bytes, rate: int) -> bytes:
    """int16 little-endian mono PCM as a WAV file (RIFF, format 1)."""
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", len(pcm))  # fmt: skip
    return head + pcm
