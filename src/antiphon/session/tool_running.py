"""One call of a tool: its function, and what its return value means to the kernel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from antiphon.agents.agent import Agent
from antiphon.agents.handoff import Handoff
from antiphon.agents.task import check_takes_over
from antiphon.chat.media import AudioContent, Content, ImageContent, split
from antiphon.kernel.policy import AgentRef, Terms
from antiphon.session.tool_host import run_off_loop
from antiphon.tools import stand_ins
from antiphon.tools.function_tool import FunctionTool
from antiphon.tools.results import ToolResult, result_text
from antiphon.tools.run_context import RunContext


async def run(tool: FunctionTool, arguments: dict[str, Any], context: RunContext[Any]) -> Any:
    """What the tool returns. Where an owner died in the call, ``verify`` says first what came of it then. Under test a
    stand-in may take the place of both."""
    stand_in = stand_ins.find(context.session.scope, context.agent, tool.name)
    verify = tool.options.verify
    if context.resumed and verify is not None and stand_in is None:
        function, kwargs = tool.bind(arguments, context, function=verify)
        known = await run_off_loop(function, **kwargs)
        if known is not None:
            return known
    function, kwargs = tool.bind(arguments, context)
    if stand_in is not None:
        function, kwargs = partial(stand_in, arguments, context), {}
    if not tool.options.filler:
        return await run_off_loop(function, **kwargs)
    async with context.with_filler(tool.options.filler, delay=tool.options.filler_after):
        return await run_off_loop(function, **kwargs)


HandOver = Callable[[Handoff], Awaitable[tuple[AgentRef, Terms]]]


async def answer_of(value: Any, limit: int, hand_over: HandOver) -> dict[str, Any]:
    """Fields of ``ToolReturned``, media as they are. ``None`` asks for no reply; an ``Agent`` or a ``Handoff`` hands over; pictures
    and sounds, alone or in a list with text, go to models that take them."""
    reply = True
    if isinstance(value, ToolResult):
        value, reply = value.value, value.reply_required
    if isinstance(value, tuple) and len(value) == 2 and _agent_or_class(value[0]):
        value = Handoff(value[0], result=value[1])
    if _agent_or_class(value):
        value = Handoff(value)
    if isinstance(value, Handoff):
        check_takes_over(value.agent)
        agent, terms = await hand_over(value)
        output = f"Handed over to {agent.key}." if value.result is None else result_text(value.result, limit=limit)
        return {"output": output, "agent": agent, "terms": terms, "reply": reply}
    if value is None:
        return {"output": "", "reply": False}
    if media := _media_in(value):
        text, found, _ = split(media)
        return {"output": result_text(text, limit=limit), "media": found, "reply": reply}
    return {"output": result_text(value, limit=limit), "reply": reply}


def _agent_or_class(value: Any) -> bool:
    return isinstance(value, Agent) or (isinstance(value, type) and issubclass(value, Agent))


def _media_in(value: Any) -> list[Content]:
    """The parts of a result that has pictures or sounds; nothing for all other results."""
    parts = list(value) if isinstance(value, list | tuple) else [value]
    media = [part for part in parts if isinstance(part, ImageContent | AudioContent)]
    return parts if media and all(isinstance(part, str | ImageContent | AudioContent) for part in parts) else []
