"""``antiphon token``: a token to join a LiveKit room with, for a client or a test."""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module

from antiphon.cli.livekit_api import server_of, server_options
from antiphon.errors import ConfigurationError

LONGEST = 86_400.0
"""Seconds that a token may be good for. Whoever has one joins without being asked anything."""
MOST_NAME = 256
"""Bytes of a room's or participant's name, as a LiveKit server has it."""


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon token``."""
    top = argparse.ArgumentParser(prog="antiphon token", description="A token that lets somebody join a LiveKit room.")
    top.add_argument("room", metavar="ROOM")
    top.add_argument("identity", metavar="IDENTITY", help="unique in the room")
    top.add_argument("--name", default="", help="shown to the others")
    top.add_argument(
        "--ttl",
        type=float,
        default=3600,
        metavar="S",
        help="seconds within which to join, a day at most (default: 3600)",
    )
    top.add_argument("--metadata", default="")
    top.add_argument("--listen-only", action="store_true", help="may hear and read, not speak or write")
    top.add_argument("--dispatch", metavar="AGENT", help="this agent comes when the room is made by joining")
    top.add_argument("--json", action="store_true", help="with the server's address")
    server_options(top)
    return top


def main(words: Sequence[str]) -> int:
    """Print the token. Returns the exit status."""
    options = parser().parse_args(words)
    _check(options)
    server = server_of(options)
    api = import_module("livekit.api")
    speaks = not options.listen_only
    grants = api.VideoGrants(room_join=True, room=options.room, can_publish=speaks, can_publish_data=speaks)
    token = api.AccessToken(server.key, server.secret).with_identity(options.identity).with_grants(grants)
    token = token.with_ttl(timedelta(seconds=options.ttl))
    if options.name:
        token = token.with_name(options.name)
    if options.metadata:
        token = token.with_metadata(options.metadata)
    if options.dispatch:
        agents = [api.RoomAgentDispatch(agent_name=options.dispatch)]
        token = token.with_room_config(api.RoomConfiguration(agents=agents))
    made = token.to_jwt()
    print(json.dumps({"url": server.url, "room": options.room, "token": made}) if options.json else made)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raises ``ConfigurationError`` for a token that would let in whoever it should not, or nobody. (One without a room is
    good for all of them.)"""
    for what, name in (("room", options.room), ("identity", options.identity)):
        if not name.strip() or len(name.encode()) > MOST_NAME or any(unicodedata.category(c) == "Cc" for c in name):
            raise ConfigurationError(
                f"{name[:40]!r} is no {what}.", hint=f"Write 1 to {MOST_NAME} bytes without control characters."
            )
    if not 1.0 <= options.ttl <= LONGEST:
        raise ConfigurationError(
            f"A token cannot be good for {options.ttl:g} s.",
            hint=f"Choose 1 to {LONGEST:g} s: it is for joining, and who has joined stays.",
        )
