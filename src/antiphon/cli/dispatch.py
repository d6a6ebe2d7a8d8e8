"""``antiphon dispatch``: send an agent to a LiveKit room, and see which are on their way or there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from antiphon.cli.livekit_api import ask, server_options

STATES = ("pending", "running", "success", "failed", "cancelled")


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon dispatch``."""
    top = argparse.ArgumentParser(prog="antiphon dispatch", description="Agents and the rooms they are sent to.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("create", help="send an agent to a room; the room is made where there is none")
    one.add_argument("room", metavar="ROOM")
    one.add_argument("agent", metavar="AGENT", help="the agent_name of its worker")
    one.add_argument("--metadata", default="", help="for the job (ids, not contents)")
    server_options(one)
    one = verbs.add_parser("list", help="what was dispatched to a room")
    one.add_argument("room", metavar="ROOM")
    one.add_argument("--json", action="store_true", help="as JSON")
    server_options(one)
    one = verbs.add_parser("delete", help="take an agent back")
    one.add_argument("room", metavar="ROOM")
    one.add_argument("id", metavar="ID", help="as create and list print it")
    server_options(one)
    return top


def main(words: Sequence[str]) -> int:
    """Run one verb. Returns the exit status."""
    options = parser().parse_args(words)
    if options.verb == "create":
        made = ask(
            options,
            lambda api, m: api.agent_dispatch.create_dispatch(
                m.CreateAgentDispatchRequest(agent_name=options.agent, room=options.room, metadata=options.metadata)
            ),
        )
        print(made.id)
        return 0
    if options.verb == "delete":
        ask(options, lambda api, m: api.agent_dispatch.delete_dispatch(options.id, options.room))
        print(f"deleted {options.id}")
        return 0
    found = ask(options, lambda api, m: api.agent_dispatch.list_dispatch(options.room))
    rows: list[dict[str, Any]] = [
        {"id": each.id, "agent": each.agent_name, "jobs": [STATES[job.state.status] for job in each.state.jobs]}
        for each in found
    ]
    if options.json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(f"{row['id']:20}  {row['agent']:24}  {', '.join(row['jobs'])}".rstrip())
    if not rows:
        print("nothing was dispatched to this room")
    return 0
