"""What a model reads where several people speak."""

from __future__ import annotations

from antiphon import AudioContent, ChatContext, ChatMessage
from antiphon.chat.items import ChatItem
from antiphon.session.prompt import build_prompt


def asked(*conversation: ChatItem) -> list[str]:
    made = build_prompt(instructions=["Be kind."], own=ChatContext(), conversation=conversation)
    return [message.text for message in made.messages]


def test_one_speaker_is_not_named_and_several_are() -> None:
    anna = ChatMessage(id="1", role="user", text="A tea.", speaker_id="anna")
    agent = ChatMessage(id="2", role="assistant", text="And you?")
    ben = ChatMessage(id="3", role="user", text="The same.", speaker_id="ben")
    typed = ChatMessage(id="4", role="user", text="And cake.")
    assert asked(anna, agent, typed) == ["Be kind.", "A tea.", "And you?", "And cake."]
    assert asked(anna, agent, ben, typed) == ["Be kind.", "anna: A tea.", "And you?", "ben: The same.", "And cake."]
    assert anna.text == "A tea.", "history keeps what was said"


def test_media_stay_where_they_were_in_the_text() -> None:
    sound = AudioContent(data=b"RIFF\x10\x00\x00\x00WAVEfmt ")
    shown = ChatMessage(id="1", role="user", text="Hear this!", media=[sound], media_at=[5], speaker_id="anna")
    other = ChatMessage(id="2", role="user", text="No.", speaker_id="ben")
    made = build_prompt(instructions=[], own=ChatContext(), conversation=[shown, other])
    assert made.messages[0].media_at == [11]
