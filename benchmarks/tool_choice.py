"""Which tool the local language model calls for a spoken request, and with what arguments.

    python benchmarks/tool_choice.py [--model NAME ...] [--toolset NAME ...] [--set held-out|development] [--out FILE]

The requests are those of ``tool_choice_set/requests.jsonl``: 120 in the style of speech over six sets of tools. They are held
out: the prompt is tuned on ``--set development``, other requests over other tools. A request is asked as a session asks it, the
opening of the prompt already read, and the arguments go through the tool's own check. Nothing is run.

``right tool``: exactly the tools that are right were called, or none where the agent has to speak. ``right arguments``: of the
requests that need a tool, those with the right tools and every argument right, none invented. ``needless``: of the requests that
need no tool, those that called one. ``first``: seconds from the request to the first word or the first whole call. Answers
are kept in ``out/`` by prompt, so that a run that was broken off goes on; ``--fresh`` asks again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from tool_choice_set import development_toolsets, toolsets

from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.errors import ToolError
from antiphon.local.hosts import Host, InProcessHost, load
from antiphon.local.llm import LocalLLM
from antiphon.local.requests import AnyReply, AnyRequest, Complete
from antiphon.tools.function_tool import FunctionTool

HERE = Path(__file__).parent
TODAY = date(2026, 11, 24)
TODAY_SAID = f"Today is {TODAY:%A}, {TODAY.day} {TODAY:%B %Y}."
SETS: dict[str, tuple[Path, dict[str, tuple[str, list[FunctionTool]]]]] = {
    "held-out": (HERE / "tool_choice_set" / "requests.jsonl", toolsets.TOOLSETS),
    "development": (HERE / "tool_choice_set" / "development.jsonl", development_toolsets.TOOLSETS),
}
Call = tuple[str, dict[str, Any]]


class RememberingHost:
    """Keeps answers by what was asked, in a file, with the times they took."""

    def __init__(self, inner: Host, file: Path, *, fresh: bool) -> None:
        self._inner, self._file = inner, file
        self._known: dict[str, tuple[list[tuple[float, Any]], float]] = {}
        if file.exists() and not fresh:
            for line in file.read_text(encoding="utf-8").splitlines():
                key, replies, whole = json.loads(line)
                self._known[key] = (replies, whole)
        self.seconds = (0.0, 0.0)
        """Of the newest answer: until its first usable part came, and the whole."""

    async def ask(self, request: AnyRequest) -> AsyncGenerator[AnyReply, None]:
        if not isinstance(request, Complete) or not request.max_tokens:
            async with aclosing(self._inner.ask(request)) as replies:
                async for reply in replies:
                    yield reply  # type: ignore[misc]
            return
        asked = "\0".join((request.model, request.prompt, request.grammar, str(request.max_tokens)))
        key = hashlib.sha256(asked.encode()).hexdigest()
        if key not in self._known:
            begun, parts = time.monotonic(), []
            async with aclosing(self._inner.ask(request)) as replies:
                async for reply in replies:
                    parts.append((time.monotonic() - begun, msgspec.to_builtins(reply)))
            self._known[key] = (parts, time.monotonic() - begun)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, *self._known[key]]) + "\n")
        parts, whole = self._known[key]
        for at, reply in parts:
            self.seconds = (at, whole)
            yield msgspec.convert(reply, AnyReply)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Question(msgspec.Struct):
    """One request of a set. ``calls``: [tool, arguments] that are right."""

    id: str
    toolset: str
    said: str
    calls: list[Call]
    before: list[str | tuple[str, dict[str, Any], str]] = []


def questions(path: Path) -> list[Question]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return [msgspec.json.decode(line, type=Question) for line in lines]


async def answer(llm: LocalLLM, host: RememberingHost, question: Question) -> dict[str, Any]:
    """What the model made of it, and how long it took."""
    instructions, tools = SETS_BY_TOOLSET[question.toolset]
    context = ChatContext()
    context.add_message(role="system", content=f"{instructions} {TODAY_SAID}")
    specs = [tool.spec for tool in tools]
    await llm.prefill(chat_ctx=context, tools=specs)
    for number, turn in enumerate(question.before):
        if not isinstance(turn, str):
            name, arguments, result = turn
            ids = {"call_id": f"c{number}", "name": name}
            context.items.append(FunctionCall(id=f"call{number}", arguments=json.dumps(arguments), **ids))
            context.items.append(FunctionCallOutput(id=f"output{number}", output=result, **ids))
        context.add_message(
            role="assistant" if number % 2 else "user", content=turn if isinstance(turn, str) else turn[2]
        )
    context.add_message(role="user", content=question.said)
    text, calls, first = "", [], 0.0
    async for chunk in llm.chat(chat_ctx=context, tools=specs):
        if (chunk.text.strip() or chunk.tool_calls) and not first:
            first = host.seconds[0]
        text += chunk.text
        calls += [(call.name, call.arguments) for call in chunk.tool_calls]
    return {"text": text, "calls": calls, "first": first, "whole": host.seconds[1]}


def judged(question: Question, found: dict[str, Any]) -> dict[str, Any]:
    """The answer with what is right of it."""
    tools = {tool.name: tool for tool in SETS_BY_TOOLSET[question.toolset][1]}
    wanted = sorted(question.calls, key=lambda call: call[0])
    given = sorted(found["calls"], key=lambda call: call[0])
    right_tool = [name for name, _ in wanted] == [name for name, _ in given]
    pairs = zip(wanted, given, strict=False)
    right_arguments = right_tool and all(fits(tools[name], expected, raw) for (name, expected), (_, raw) in pairs)
    return {
        "id": question.id,
        "toolset": question.toolset,
        "said": question.said,
        "wanted": question.calls,
        **found,
        "needs_tool": bool(wanted),
        "right_tool": right_tool,
        "right_arguments": right_arguments,
    }


def fits(tool: FunctionTool, expected: dict[str, Any], raw: str) -> bool:
    """Whether the tool takes these arguments and they are the expected ones. A value that is the default counts as not given."""
    try:
        given = tool.parse(raw)
    except ToolError:
        return False
    defaults = {key: schema.get("default") for key, schema in tool.spec.parameters["properties"].items()}
    wanted = {key.rstrip("?"): value for key, value in expected.items()}
    lax = {key.rstrip("?") for key in expected if key.endswith("?")}
    for key, default in defaults.items():
        value = given.get(key)
        if value is None or (key not in wanted and value == default):
            if key in wanted and key not in lax:
                return False
            continue
        if key not in wanted or not any(same(one, value) for one in alternatives(wanted[key])):
            return False
    return True


def alternatives(expected: Any) -> list[Any]:
    return expected if isinstance(expected, list) else [expected]


def same(expected: Any, value: Any) -> bool:
    if not isinstance(expected, str):
        return bool(expected == value)
    said = plain(value.isoformat()[:10] if isinstance(value, date) else str(value))
    if expected.startswith("~"):
        return all(word in said.split() for word in plain(expected[1:]).split())
    joined, wanted = ("".join(c for c in text if c not in " -") for text in (said, plain(expected)))
    return joined == wanted or joined == f"{wanted}:00"


def plain(text: str) -> str:
    """Without case, outer articles and punctuation."""
    words = "".join(c for c in text.casefold() if c.isalnum() or c in " :-").split()
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"], ["my"]) else words)


SETS_BY_TOOLSET = {name: entry for _, sets in SETS.values() for name, entry in sets.items()}


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of these rows: counts and shares, and median seconds."""
    acting = [row for row in rows if row["needs_tool"]]
    silent = [row for row in rows if not row["needs_tool"]]
    return {
        "requests": len(rows),
        "right_tool": share(sum(row["right_tool"] for row in rows), len(rows)),
        "right_arguments": share(sum(row["right_arguments"] for row in acting), len(acting)),
        "needless": share(sum(bool(row["calls"]) for row in silent), len(silent)),
        "first_s": round(statistics.median(row["first"] for row in rows), 2),
        "whole_s": round(statistics.median(row["whole"] for row in rows), 2),
    }


def share(count: int, of: int) -> str:
    return f"{count}/{of} ({100 * count / of:.0f} %)" if of else "-"


def table(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    names = list(dict.fromkeys(row["toolset"] for row in rows))
    by_name = {name: figures([row for row in rows if row["toolset"] == name]) for name in names}
    return {**by_name, "all": figures(rows)}


def show(model: str, found: dict[str, dict[str, Any]]) -> None:
    print(f"\n{model}\n| toolset | requests | right tool | right arguments | needless | first (s) | whole (s) |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, line in found.items():
        print(f"| {name} | " + " | ".join(str(value) for value in line.values()) + " |")


async def measure(model: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    path, sets = SETS[options.set]
    cache = HERE / "out" / f"tool_choice-{model}.jsonl"
    cache.parent.mkdir(exist_ok=True)
    host = RememberingHost(InProcessHost(), cache, fresh=options.fresh)
    await load(host, model)
    asked = [one for one in questions(path) if one.toolset in (options.toolset or sets)]
    rows: list[dict[str, Any]] = []
    llms = {name: LocalLLM(host, model, today=lambda: TODAY) for name in sets}
    for number, question in enumerate(asked, 1):
        rows.append(judged(question, await answer(llms[question.toolset], host, question)))
        row = rows[-1]
        if options.set == "development" or options.show:
            mark = "ok" if row["right_tool"] and (row["right_arguments"] or not row["needs_tool"]) else "NO"
            made = "; ".join(f"{name}({arguments})" for name, arguments in row["calls"]) or f"say: {row['text']}"
            print(f"{mark} {row['id']} {question.said!r} -> {made}", flush=True)
        print(f"{model}: {number}/{len(asked)}", end="\r", file=sys.stderr, flush=True)
    await host.aclose()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="of the local store; default: qwen2.5-coder-1.5b")
    parser.add_argument("--set", choices=list(SETS), default="held-out")
    parser.add_argument("--toolset", action="append", help="only these")
    parser.add_argument("--show", action="store_true", help="print each held-out answer too (who tunes must not look)")
    parser.add_argument("--fresh", action="store_true", help="ask again what out/ has an answer for")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    everything = {}
    for model in options.model or ["qwen2.5-coder-1.5b"]:
        rows = asyncio.run(measure(model, options))
        everything[model] = {"figures": table(rows), "rows": rows}
        show(model, everything[model]["figures"])
    if options.out:
        machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
        options.out.write_text(json.dumps({"set": options.set, **machine, "models": everything}, indent=1))


if __name__ == "__main__":
    main()
