"""The gate before a tool runs: the application's policy, and the caller's yes to what is about to be done.

A caller's yes is read from the conversation itself: the call was refused once with ``NOT_YET``, the caller's next words
agree, and the call that comes now has the very same arguments. So it survives whatever the session survives.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
from collections.abc import Callable, Sequence
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from antiphon.errors import ToolError
from antiphon.kernel.conversation import Call, CallOutput, Item, Message
from antiphon.session import events as se
from antiphon.tools.policy import Policy, Verdict, says_yes

if TYPE_CHECKING:
    from antiphon.session.shell import Shell
    from antiphon.tools.function_tool import FunctionTool
    from antiphon.tools.run_context import RunContext

NOT_YET = "Not done yet: the caller has to agree first."
ASK = (
    "Tell the caller exactly what you are about to do, with these values, and ask for a yes or a no. Only when the "
    "caller has said yes, make this call again with exactly the same arguments."
)
UNCLEAR = "What the caller said was not a clear yes."


class ToolGate:
    """``policy``: the application's, or none."""

    def __init__(self, shell: Shell, policy: Policy | None) -> None:
        self._shell, self._policy = shell, policy

    def concerns(self, tool: FunctionTool) -> bool:
        """Whether a call of it has anything to pass here."""
        return self._policy is not None or bool(tool.options.confirm)

    async def pass_through(self, tool: FunctionTool, context: RunContext[Any]) -> None:
        """Return when the call may run. Raises ``ToolError`` with what the model has to know where it may not."""
        verdict = await self._judge(tool, context)
        if self._policy is not None:
            self._note(context, f"policy: {verdict.kind}", verdict.reason)
        if verdict.kind == "deny":
            raise ToolError(f"This is not allowed: {verdict.reason}")
        if verdict.kind == "ask_human":
            await self._ask_human(context, verdict)
        if verdict.kind == "ask_caller" or tool.options.confirm:
            self._ask_caller(tool, context)

    async def _judge(self, tool: FunctionTool, context: RunContext[Any]) -> Verdict:
        if self._policy is None:
            return Verdict("allow")
        try:
            answer = self._policy(context, tool)
            verdict = await answer if inspect.isawaitable(answer) else answer
            if isinstance(verdict, Verdict):
                return verdict
            problem = f"The tool policy returned {verdict!r}: return allow(), deny(...), ask_caller() or ask_human()."
        except Exception:
            problem = traceback.format_exc()
        self._shell.tell(self._shell.side.error, "tool_policy", problem, True)
        return Verdict("deny", "the policy could not be asked")

    def _note(self, context: RunContext[Any], what: str, reason: str) -> None:
        context._host.progress(f"{what} ({reason})" if reason else what, False)

    async def _ask_human(self, context: RunContext[Any], verdict: Verdict) -> None:
        """Whoever handles ``tool_approval`` decides; nobody there is a no."""
        emitter = self._shell.side.emitter
        if not emitter.has("tool_approval"):
            raise ToolError("This needs a person's approval, and nobody is there to give it.")
        decided: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

        def decide(answer: Verdict) -> None:
            if not decided.done():
                decided.set_result(answer)

        call = context.function_call
        emitter.emit(
            "tool_approval",
            se.ToolApprovalEvent(call=call, reason=verdict.reason, decide=decide, at=self._shell.now()),
        )
        answer = await decided
        self._note(context, f"approval: {answer.kind}", answer.reason)
        if answer.kind != "allow":
            raise ToolError(
                f"A person has declined this: {answer.reason}" if answer.reason else "A person has declined this."
            )

    def _ask_caller(self, tool: FunctionTool, context: RunContext[Any]) -> None:
        agrees: Callable[[str], bool] = (
            tool.options.confirm
            if callable(tool.options.confirm)
            else lambda text: says_yes(text, self._shell.directory.language(context.agent))
        )
        call = context.function_call
        words = answer_to(list(self._shell.kernel.state.conversation.items), call.call_id, call.name, call.arguments)
        if words is None:
            raise ToolError(NOT_YET, hint=ASK)
        if not agrees(words):
            raise ToolError(NOT_YET, hint=f"{UNCLEAR} {ASK}")
        self._note(context, "confirmed by the caller", words)


def answer_to(items: Sequence[Item], call_id: str, name: str, arguments: str) -> str | None:
    """The caller's words behind the agent's question about this very call; ``None``: not asked, or no words yet.

    Only the newest call of this tool counts, and each yes once: between it and the call that comes now, with other
    arguments or after it was done, the caller has to be asked again."""
    outputs = {item.call_id: item.output for item in items if isinstance(item, CallOutput)}
    since: list[Message] = []
    for item in reversed(items):
        if isinstance(item, Message):
            since.insert(0, item)
        elif isinstance(item, Call) and item.name == name and item.call_id != call_id:
            asked = outputs.get(item.call_id, "").startswith(NOT_YET) and same(item.arguments, arguments)
            answer = list(dropwhile(lambda message: message.role != "assistant", since)) if asked else []
            return " ".join(message.text for message in answer if message.role == "user") or None
    return None


def same(one: str, other: str) -> bool:
    """Whether two argument texts say the same."""
    try:
        return bool(json.loads(one or "{}") == json.loads(other or "{}"))
    except ValueError:
        return one == other
