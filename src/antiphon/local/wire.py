"""Messages between the model process and its clients: framed, over a Unix socket, and where it is."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from antiphon import __version__
from antiphon.audio.framing import HEAD, length
from antiphon.local.requests import AnyReply, AnyRequest
from antiphon.local.store import Store

LONGEST_MESSAGE = 64 << 20
"""Bytes. Half an hour of sound: nobody asks for more at once."""

LONGEST_PATH = 100
"""Bytes of a socket's path (the kernel takes 107)."""


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A client's request; ``id`` is the client's own."""

    id: int
    request: AnyRequest


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """The client no longer wants an answer."""

    id: int


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """A reply to the request ``id``."""

    id: int
    reply: AnyReply


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The first message of the server."""

    pid: int


ToServer = Ask | Cancel
ToClient = Answer | Welcome
to_server: msgspec.msgpack.Decoder[ToServer] = msgspec.msgpack.Decoder(ToServer)
to_client: msgspec.msgpack.Decoder[ToClient] = msgspec.msgpack.Decoder(ToClient)


async def receive(reader: asyncio.StreamReader) -> bytes:
    """The next message's body. Raises ``EOFError`` at the end, ``TooLongError``."""
    try:
        return await reader.readexactly(length(await reader.readexactly(HEAD), LONGEST_MESSAGE))
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise EOFError from error


def socket_path(store: Store) -> Path:
    """The socket of the model process for this version and these models: in a directory that only this user can enter.

    The name also tells one state of this package's files from another, so that changed code meets no old process.
    """
    code = sorted(f"{path.name}={path.stat().st_mtime_ns}" for path in Path(__file__).parent.glob("*.py"))
    rows = sorted(f"{row.name}={row.digest}" for row in store.catalog.values())
    content = "\n".join([__version__, str(store.root.resolve()), *rows, *code])
    name = f"models-{__version__}-{hashlib.sha256(content.encode()).hexdigest()[:12]}.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    choices = [Path(runtime) / "antiphon"] if runtime and os.access(runtime, os.W_OK) else []
    choices += [store.root.parent / "run", Path(tempfile.gettempdir()) / f"antiphon-{os.getuid()}"]
    folder = next(
        choice for choice in choices if len(os.fsencode(choice / name)) <= LONGEST_PATH or choice is choices[-1]
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = folder.stat()
    if owner.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    return folder / name
