"""Pictures and sound in a conversation: to the model that takes them, and never into the log."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, AgentSession, AudioContent, ChatContext, ChatMessage, ImageContent
from antiphon.chat.items import ChatItem
from antiphon.session import media_shelf
from antiphon.session.media_shelf import MediaShelf
from antiphon.testing import Caller, CallResult, ScriptedLLM, simulate, text_context

PNG = ImageContent(data=b"\x89PNG\r\n\x1a\n" + bytes(20))
WAV = AudioContent(data=b"RIFF\x10\x00\x00\x00WAVEfmt ", transcript="my cat purrs")


class Vet(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Look at pets.")


class Watching(Vet):
    """Adds a camera's picture to each thing said."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        new_message.media.append(PNG)


def asked(llm: ScriptedLLM) -> ChatMessage:
    """The user's last message as the model got it."""
    return next(m for m in reversed(llm.requests[-1].chat_ctx.messages) if m.role == "user")


async def typed(llm: ScriptedLLM, user_input: Any, *, agent: Agent | None = None) -> list[ChatItem]:
    async with AgentSession[Any](llm=llm) as session:
        await session.start(agent or Vet(), text_context())
        await session.run(user_input=user_input)
        return session.history.items


@pytest.mark.call
async def test_a_picture_goes_to_a_model_that_sees_and_stays_in_the_history() -> None:
    llm = ScriptedLLM("A cat.", images=True)
    history = await typed(llm, ["What is this?", PNG, WAV])
    assert asked(llm).content == ["What is this?", PNG, "my cat purrs"]
    message = next(item for item in history if isinstance(item, ChatMessage))
    assert message.text == "What is this?" and message.media == [PNG, WAV]


@pytest.mark.call
async def test_a_model_that_sees_nothing_is_told_so() -> None:
    llm = ScriptedLLM("I cannot see.")
    await typed(llm, ChatMessage(id="mine", role="user", text="", media=[PNG]))
    assert asked(llm).content == ["[Here was a picture, which you cannot perceive.]"]


@pytest.mark.call
async def test_generate_reply_takes_parts_too() -> None:
    llm = ScriptedLLM("A purr.", audio=True)
    async with AgentSession[Any](llm=llm) as session:
        await session.start(Vet(), text_context())
        await session.generate_reply(user_input=[WAV])
        assert session.history.messages[0].media == [WAV]
    assert asked(llm).content == [WAV]


@pytest.mark.call
async def test_a_hook_sees_the_media_and_may_add_some() -> None:
    llm = ScriptedLLM("A cat that purrs.", images=True, audio=True)
    await typed(llm, ["Listen:", WAV], agent=Watching())
    assert asked(llm).content == ["Listen:", WAV, PNG]


def watched(**options: Any) -> tuple[CallResult, ScriptedLLM]:
    llm = ScriptedLLM("A cat.", images=True)
    return simulate(Watching, Caller().says("What do you see", at=1.0).waits_for_agent(), llm=llm, **options), llm


def test_a_spoken_turn_gets_the_picture_that_its_hook_added() -> None:
    result, llm = watched()
    assert result.heard == "A cat." and asked(llm).content == ["What do you see", PNG]


def test_the_log_has_names_and_no_bytes() -> None:
    result, _ = watched()
    (fact,) = [fact for fact in result.facts if type(fact).__name__ == "TurnCommitted"]
    (name,) = fact.media
    assert name.startswith("image/png#")
    written = repr(result.log.entries)
    assert name in written and "PNG" not in written and "iVBOR" not in written


def test_a_full_shelf_lets_the_oldest_go_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_shelf, "MOST_BYTES", 40)
    shelf = MediaShelf()
    first, second = shelf.put([PNG]) + shelf.put([PNG])
    found, gone = shelf.find([first, second])
    assert found == [PNG] and gone == ["[Here was a part of kind image/png, which is not kept any more.]"]
