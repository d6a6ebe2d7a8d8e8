"""Pictures and sound in messages: typed, written out and read back, and never in anybody's way."""

from __future__ import annotations

import json

import pytest

from antiphon import AudioContent, ChatContext, ChatMessage, FunctionCallOutput, ImageContent
from antiphon.chat.media import MOST_BYTES, split
from antiphon.errors import FormatError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
WAV = b"RIFF\x10\x00\x00\x00WAVEfmt "
MP3 = b"ID3\x04" + bytes(20)


@pytest.mark.parametrize(
    ("data", "mime"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (b"GIF89a", "image/gif")]
)
def test_the_kind_of_a_picture_is_found_out(data: bytes, mime: str) -> None:
    assert ImageContent(data=data).mime == mime
    assert ImageContent(data=data, mime="image/other").mime == "image/other"


@pytest.mark.parametrize(
    ("data", "mime"), [(WAV, "audio/wav"), (MP3, "audio/mpeg"), (b"\xff\xfb\x90\x00", "audio/mpeg")]
)
def test_the_kind_of_a_sound_is_found_out(data: bytes, mime: str) -> None:
    assert AudioContent(data=data).mime == mime


def test_what_is_no_picture_and_no_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="either data or a url"):
        ImageContent()
    with pytest.raises(ValueError, match="either data or a url"):
        ImageContent(data=PNG, url="https://example.com/a.png")
    with pytest.raises(ValueError, match="PNG, JPEG, GIF or WebP"):
        ImageContent(data=b"GIVE ME")
    with pytest.raises(ValueError, match="WAV or MP3"):
        AudioContent(data=b"\xff")
    with pytest.raises(ValueError, match="at most 20 MB"):
        ImageContent(data=PNG + bytes(MOST_BYTES))
    with pytest.raises(TypeError, match="not bytes"):
        split([b"raw"])  # type: ignore[list-item]


def test_bytes_show_in_no_repr() -> None:
    context = ChatContext()
    message = context.add_message(role="user", content=["Look:", ImageContent(data=PNG), AudioContent(data=WAV)])
    assert "ImageContent(image/png, 28 bytes)" in repr(message) and "PNG\\r" not in repr(message)
    assert repr(ImageContent(url="https://example.com/a.png")) == "ImageContent('https://example.com/a.png')"


def test_parts_keep_their_order() -> None:
    picture, sound = ImageContent(data=PNG, detail="low"), AudioContent(data=MP3, transcript="hello")
    message = ChatContext().add_message(role="user", content=[picture, "What is this?", sound, "And that?"])
    assert message.text == "What is this?\nAnd that?"
    assert message.content == [picture, "What is this?", sound, "And that?"]
    message.text = "Short."
    assert message.content == [picture, "Short.", sound], "a place beyond the text is its end"
    last = ChatContext().add_message(role="user", content=["Look:", picture])
    assert last.content == ["Look:", picture] and last.media_at == []
    assert ChatMessage(id="a", role="user", text="", media=[picture]).content == [picture]


def test_a_conversation_with_media_is_written_as_json_and_read_back() -> None:
    context = ChatContext()
    context.add_message(
        role="user", content=["Look:", ImageContent(data=PNG), ImageContent(url="https://example.com/a")]
    )
    context.add_message(role="user", content=[AudioContent(data=WAV, transcript="hello")])
    written = json.loads(json.dumps(context.to_dict()))
    again = ChatContext.from_dict(written)
    assert written["format"] == 3 and again.items == context.items and again.is_equivalent(context)


def test_without_media_the_written_form_has_notes_and_no_bytes() -> None:
    context = ChatContext()
    context.add_message(role="user", content=["Look:", ImageContent(data=PNG)])
    written = context.to_dict(exclude_media=True)
    assert written["items"][0]["text"] == "Look:\n[Here was a picture, which you cannot perceive.]"
    assert written["items"][0]["media"] == [] and context.messages[0].media


def test_the_first_form_is_still_read_and_a_later_one_refused() -> None:
    old = {"items": [{"type": "message", "id": "a", "role": "user", "text": "Hello."}]}
    assert ChatContext.from_dict(old).messages[0].text == "Hello."
    with pytest.raises(FormatError, match="format 4"):
        ChatContext.from_dict({"format": 4, "items": []})
    with pytest.raises(FormatError, match="media"):
        ChatContext.from_dict({"format": 2, "items": [{**old["items"][0], "media": [{"type": "image"}]}]})


def test_a_model_reads_what_it_can_take_and_notes_for_the_rest() -> None:
    context = ChatContext()
    context.add_message(
        role="user", content=["Look:", ImageContent(data=PNG), AudioContent(data=WAV, transcript="my cat")]
    )
    context.add_message(role="assistant", content=["Like this:", ImageContent(data=PNG)])
    sees = context.readable(images=True).messages
    assert sees[0].content == ["Look:", ImageContent(data=PNG), "my cat"]
    assert sees[1].text.endswith("cannot perceive.]"), "pictures of the agent's own are shown by no service"
    blind = context.readable().messages
    assert blind[0].text == "Look:\n[Here was a picture, which you cannot perceive.]\nmy cat" and not blind[0].media
    assert context.messages[0].media, "the conversation itself stays as it was"
    assert context.readable(images=True, audio=True).items[0] is context.items[0]


def test_a_message_of_media_alone_is_not_empty() -> None:
    context = ChatContext()
    context.add_message(role="user", content=[ImageContent(data=PNG)])
    context.add_message(role="user", content="")
    assert len(context.copy(exclude_empty_message=True)) == 1


def test_pictures_of_a_tool_are_read_by_a_model_that_can() -> None:
    shown = FunctionCallOutput(id="o", call_id="c", name="look", output="A cat.", media=[ImageContent(data=PNG)])
    context = ChatContext([shown])
    assert context.readable(images=True).items[0] is shown
    (blind,) = context.readable().items
    assert isinstance(blind, FunctionCallOutput) and not blind.media
    assert blind.output == "A cat.\n[Here was a picture, which you cannot perceive.]"
