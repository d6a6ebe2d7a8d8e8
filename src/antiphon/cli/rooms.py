"""``antiphon rooms``: the rooms of a LiveKit server, who is in them, and their end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from antiphon.cli.livekit_api import ask, server_options

KINDS = ("standard", "ingress", "egress", "sip", "agent", "connector", "bridge")


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon rooms``."""
    top = argparse.ArgumentParser(prog="antiphon rooms", description="The rooms of a LiveKit server.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("list", help="every room, with how many are in it")
    one.add_argument("--json", action="store_true", help="as JSON")
    server_options(one)
    one = verbs.add_parser("show", help="who is in a room")
    one.add_argument("room", metavar="ROOM")
    one.add_argument("--json", action="store_true", help="as JSON")
    server_options(one)
    one = verbs.add_parser("delete", help="end a room for everybody")
    one.add_argument("room", metavar="ROOM")
    server_options(one)
    return top


def main(words: Sequence[str]) -> int:
    """Run one verb. Returns the exit status."""
    options = parser().parse_args(words)
    if options.verb == "delete":
        ask(options, lambda api, m: api.room.delete_room(m.DeleteRoomRequest(room=options.room)))
        print(f"deleted {options.room}")
        return 0
    if options.verb == "list":
        rooms = ask(options, lambda api, m: api.room.list_rooms(m.ListRoomsRequest())).rooms
        rows: list[dict[str, Any]] = [{"name": r.name, "sid": r.sid, "participants": r.num_participants} for r in rooms]
    else:
        found = ask(options, lambda api, m: api.room.list_participants(m.ListParticipantsRequest(room=options.room)))
        rows = [{"identity": p.identity, "name": p.name, "kind": _kind(p.kind)} for p in found.participants]
    if options.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print("  ".join(f"{value!s:24}" for value in row.values()).rstrip())
    if not rows:
        print("no rooms" if options.verb == "list" else "nobody is there")
    return 0


def _kind(number: int) -> str:
    return KINDS[number] if number < len(KINDS) else str(number)
