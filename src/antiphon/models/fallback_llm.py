"""Fallback of language models: the next one is asked when one fails before it has given anything.

Owns the order of attempts within one request. Never: what was given once: a reply that broke off in the middle is for the
conversation to mend, which asks again and gets the next model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.errors import AllModelsFailedError, ModelError
from antiphon.models.attempt import Attempt, gives
from antiphon.models.availability import Availability, Member, common
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.models.metering import CHARACTERS_PER_TOKEN, Metered, meter_for


class LLMRequest:
    """What was asked, so that it can be asked of any model."""

    def __init__(self, chat_ctx: ChatContext, tools: Sequence[ToolSpec], tool_choice: ToolChoice) -> None:
        self.chat_ctx, self.tools, self.tool_choice = chat_ctx, tuple(tools), tool_choice

    def of(self, llm: LLM) -> LLMStream:
        """Ask this model; media that it cannot take are notes."""
        can = llm.capabilities
        return llm.chat(
            chat_ctx=self.chat_ctx.readable(images=can.images, audio=can.audio),
            tools=self.tools,
            tool_choice=self.tool_choice,
        )

    @property
    def characters(self) -> int:
        return sum(len(message.text) for message in self.chat_ctx.messages)


class LLMAttempt(Attempt[ChatChunk, ChatChunk]):
    """One model's answer. ``given``: it has said something. Its use is metered when it is closed."""

    def __init__(self, member: Member[LLM], request: LLMRequest, patience: float | None) -> None:
        self.member, self.request = member, request
        self.given = False
        self._said = 0
        self._usage = Metered(kind="llm", provider=member.model.provider, model=member.model.model)
        self._told = False
        super().__init__(
            lambda: request.of(member.model),
            accept=self._take,
            waits=lambda: not self.given,
            patience=patience,
            overdue=f"{member.name} gave no token within {patience or 0:g} s.",
            name=member.name,
        )

    def _take(self, chunk: ChatChunk) -> list[ChatChunk]:
        self.given = self.given or bool(chunk.text or chunk.tool_calls)
        self._said += len(chunk.text) + sum(len(call.arguments) for call in chunk.tool_calls)
        if chunk.usage is not None:
            self._told = True
            self._usage = msgspec.structs.replace(
                self._usage,
                prompt_tokens=self._usage.prompt_tokens + chunk.usage.prompt_tokens,
                completion_tokens=self._usage.completion_tokens + chunk.usage.completion_tokens,
                cached_tokens=self._usage.cached_tokens + chunk.usage.cached_tokens,
            )
        return [chunk]

    def begun(self, error: BaseException | None) -> bool:
        """Whether the service has begun to work, which it bills: a refusal or a lost connection costs nothing."""
        return error is None or self.given or self.timed_out

    async def end(self, *, wasted: bool, billed: bool = True) -> None:
        """Close it and meter it. ``billed``: the service began to work."""
        await self.aclose()
        use = msgspec.structs.replace(self._usage, requests=1, wasted=wasted)
        if not self._told and billed:
            use = msgspec.structs.replace(
                use,
                prompt_tokens=round(self.request.characters / CHARACTERS_PER_TOKEN),
                completion_tokens=round(self._said / CHARACTERS_PER_TOKEN),
                estimated=True,
            )
        meter_for(self.member.model, use)


async def try_llm(llm: LLM) -> bool | None:
    """Whether a model says anything to a greeting."""
    context = ChatContext.empty()
    context.add_message(role="user", content="Say OK.")
    return await gives(llm.chat(chat_ctx=context), lambda chunk: chunk.text or chunk.tool_calls)


def llm_capabilities(models: Sequence[LLM]) -> LLMCapabilities:
    """What can be asked of any of them; media that one of them takes are notes for the others."""
    rows = [model.capabilities for model in models]
    shared: LLMCapabilities = common(rows)
    return msgspec.structs.replace(shared, images=any(row.images for row in rows), audio=any(row.audio for row in rows))


class FallbackLLM(LLM):
    """Several models as one. ``attempt_timeout``: seconds that one may take to its first token while there is another."""

    on_core = True
    meters = True

    def __init__(self, models: Sequence[LLM], *, attempt_timeout: float) -> None:
        self.availability: Availability[LLM] = Availability("llm", models, trial=try_llm)
        self.attempt_timeout = attempt_timeout
        self.capabilities = llm_capabilities(models)
        self.provider = "local" if all(model.provider == "local" for model in models) else "fallback"
        self.model = ", ".join(member.name for member in self.availability.members)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return _FallbackLLMStream(self, LLMRequest(chat_ctx, tools, tool_choice))

    async def prefill(self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = ()) -> None:
        await self.availability.order()[0].model.prefill(chat_ctx=chat_ctx, tools=tools)

    async def prewarm(self) -> None:
        await self.availability.prewarm()

    async def aclose(self) -> None:
        await self.availability.aclose()


class _FallbackLLMStream(LLMStream):
    def __init__(self, owner: FallbackLLM, request: LLMRequest) -> None:
        self._owner, self._request = owner, request
        self._attempt: LLMAttempt | None = None
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        availability = self._owner.availability
        failures: list[tuple[str, Exception]] = []
        members = availability.order()
        for number, member in enumerate(members):
            if self._closed:
                return
            patience = self._owner.attempt_timeout if number + 1 < len(members) else None
            attempt = self._attempt = LLMAttempt(member, self._request, patience)
            error: Exception | None = None
            try:
                while True:
                    try:
                        chunk = await attempt.next()
                    except Exception as problem:
                        error = problem
                        break
                    if chunk is None:
                        break
                    yield chunk
            finally:
                if error is None and attempt.silent_for > self._owner.attempt_timeout:
                    availability.failed(member, "It stopped in the middle of its answer.")
                await attempt.end(wasted=error is not None and not attempt.given, billed=attempt.begun(error))
            if error is None:
                availability.worked(member)
                return
            availability.failed(member, error)
            if attempt.given:
                raise error
            failures.append((member.name, error))
        raise AllModelsFailedError("language model", failures)

    async def aclose(self) -> None:
        self._closed = True
        if self._attempt is not None:
            self._attempt.fail(ModelError("The request was closed."))
