"""What a program would lose at a takeover: read off the classes of its agents, without a call."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from antiphon.agents.agent import Agent
from antiphon.agents.task import AgentTask
from antiphon.cli.checks import Finding
from antiphon.tools.function_tool import FunctionTool


def losses(kind: type[Agent]) -> Iterator[Finding]:
    """Findings about one class of agents, none where all of it comes back."""
    yield from _constructor(kind)
    yield from _attributes(kind)
    yield from _tools(kind)


def _constructor(kind: type[Agent]) -> Iterator[Finding]:
    if issubclass(kind, AgentTask) or getattr(kind.restore, "__func__", None) is not Agent.restore.__func__:  # type: ignore[attr-defined]
        return  # a task is brought again by the code that awaits it
    wanted = [
        parameter.name
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if wanted:
        detail = f"its constructor wants {', '.join(wanted)}: another process cannot make it anew"
        mend = "give them defaults and keep the values in state, or override the classmethod restore(state)"
        yield Finding("takeover", kind.__qualname__, "warn", detail, mend)


def _attributes(kind: type[Agent]) -> Iterator[Finding]:
    found: dict[str, str] = {}
    for method in _methods(kind):
        if method.name == "__init__":
            continue
        for node in ast.walk(method):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                for target in targets:
                    if _of_self(target) and target.attr not in ("state", *vars(Agent)):  # type: ignore[union-attr]
                        found.setdefault(target.attr, method.name)  # type: ignore[union-attr]
    for name, method_name in found.items():
        detail = f"{method_name} sets self.{name}, which no other process has"
        yield Finding("takeover", f"{kind.__qualname__}.{name}", "warn", detail, f"keep it in state: self.state.{name}")


def _tools(kind: type[Agent]) -> Iterator[Finding]:
    for name, tool in vars(kind).items():
        if not isinstance(tool, FunctionTool) or tool.options.effect == "read" or tool.options.retry != "never":
            continue
        awaited = sorted(_tasks_awaited(tool.function))
        if awaited:
            detail = f"a write without a retry rule awaits {', '.join(awaited)}: after a takeover it is in doubt"
            mend = '@function_tool(retry="replay"), with what has an effect in ctx.step(name, function)'
            yield Finding("takeover", f"{kind.__qualname__}.{name}", "warn", detail, mend)


def _tasks_awaited(function: Any) -> set[str]:
    known = getattr(function, "__globals__", {})
    return {
        node.value.func.id
        for node in ast.walk(_tree(function))
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
        and isinstance(known.get(node.value.func.id), type) and issubclass(known[node.value.func.id], AgentTask)
    }  # fmt: skip


def _methods(kind: type) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    body = getattr(next(iter(_tree(kind).body), None), "body", [])
    return (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _of_self(node: Any) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _tree(thing: Any) -> ast.Module:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError):  # made without a file
        return ast.Module([], [])
