"""Offers of the browsers and of servers are answered; what cannot be is refused with a word on why."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from antiphon.transport.webrtc import sdp

OFFERS = Path(__file__).parent / "offers"
SHAPES = sorted(path.stem for path in OFFERS.glob("*.sdp"))
FINGERPRINT = sdp.Fingerprint("sha-256", ":".join(["AB"] * 32))


def text(name: str) -> str:
    return (OFFERS / f"{name}.sdp").read_text().replace("\n", "\r\n")


def answer(offer: sdp.Offer, **more: object) -> str:
    settings: dict[str, object] = {
        "session": 7,
        "ufrag": "abcd",
        "pwd": "p" * 22,
        "fingerprint": FINGERPRINT,
        "ssrc": 77,
        "candidates": ["candidate:1 1 udp 1 192.0.2.1 5000 typ host"],
    }
    return sdp.write_answer(offer, **{**settings, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "opus", "event", "ufrag", "candidates"),
    [
        ("chromium", 111, (110, 48000), "95lu", 0),
        ("firefox", 109, (None, 0), "7a4e3d0b", 2),
        ("safari", 111, (110, 48000), "u2Yx", 2),
        ("aiortc", 96, (None, 0), "bX3k", 1),
    ],
)
def test_an_offer_is_read(name: str, opus: int, event: tuple[int | None, int], ufrag: str, candidates: int) -> None:
    offer = sdp.parse_offer(text(name))
    assert (offer.opus, offer.telephone_event, offer.telephone_event_rate) == (opus, *event)
    assert (offer.ufrag, len(offer.candidates)) == (ufrag, candidates)
    assert (offer.setup, offer.direction, offer.bundled) == ("active", "sendrecv", True)
    assert offer.fingerprints[0].algorithm == "sha-256"


@pytest.mark.parametrize("name", SHAPES)
def test_an_answer_takes_the_audio_and_refuses_the_rest(name: str) -> None:
    offer = sdp.parse_offer(text(name))
    lines = answer(offer).split("\r\n")
    media = [line for line in lines if line.startswith("m=")]
    assert len(media) == len(offer.sections)
    assert media[0] == f"m=audio 9 UDP/TLS/RTP/SAVPF {offer.opus}" + (
        "" if offer.telephone_event is None else f" {offer.telephone_event}"
    )
    assert all(line.split()[1] == "0" for line in media[1:])
    assert f"a=group:BUNDLE {offer.mid}" in lines
    assert "a=rtcp-mux" in lines and "a=setup:active" in lines and "a=sendrecv" in lines
    assert f"a=fmtp:{offer.opus} minptime=10;useinbandfec=1;usedtx=0" in lines
    assert lines.count("a=end-of-candidates") == 1
    mids = [line.removeprefix("a=mid:") for line in lines if line.startswith("a=mid:")]
    assert mids == [section.get("mid") for section in offer.sections]


def test_an_answer_can_be_read_as_an_offer_can() -> None:
    back = sdp.parse_offer(answer(sdp.parse_offer(text("chromium"))))
    assert (back.ufrag, back.pwd, back.fingerprints, back.setup) == ("abcd", "p" * 22, (FINGERPRINT,), "passive")
    assert back.candidates == ("1 1 udp 1 192.0.2.1 5000 typ host",)


def test_while_candidates_are_still_to_come_the_answer_does_not_end_them() -> None:
    assert "end-of-candidates" not in answer(sdp.parse_offer(text("safari")), complete=False)


@pytest.mark.parametrize(
    ("offered", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_directions_mirror(offered: str, ours: str) -> None:
    offer = sdp.parse_offer(text("safari").replace("a=sendrecv", f"a={offered}"))
    assert offer.direction == ours
    assert f"a={ours}\r\n" in answer(offer)
    assert ("a=ssrc:77" in answer(offer)) == (ours in ("sendrecv", "sendonly"))


def test_a_bundled_section_without_a_transport_of_its_own_takes_the_groups() -> None:
    whole = text("chromium")
    video = whole[whole.index("m=video") : whole.index("m=application")]
    head, audio = whole[: whole.index("m=audio")], whole[whole.index("m=audio") : whole.index("m=video")]
    audio = re.sub(r"a=(ice-|fingerprint|setup|rtcp-mux|rtcp:|candidate)[^\r]*\r\n", "", audio)
    audio = audio.replace("m=audio 9", "m=audio 0") + "a=bundle-only\r\n"
    offer = sdp.parse_offer(head.replace("BUNDLE 0 1 2", "BUNDLE 1 0") + video + audio)
    assert (offer.audio, offer.ufrag, offer.setup) == (1, "95lu", "active")
    assert "a=group:BUNDLE 0\r\n" in answer(offer)


def test_the_first_audio_with_opus_is_taken() -> None:
    whole = text("safari")
    audio = whole[whole.index("m=audio") :]
    first = audio.replace("opus/48000/2", "speex/16000").replace("a=mid:audio", "a=mid:other")
    offer = sdp.parse_offer(whole[: whole.index("m=audio")] + first + audio)
    assert offer.audio == 1
    assert [line.split()[1] for line in answer(offer).split("\r\n") if line.startswith("m=")] == ["0", "9"]


@pytest.mark.parametrize(("offered", "ours"), [("active", "passive"), ("passive", "active"), ("actpass", "active")])
def test_the_part_in_the_handshake(offered: str, ours: str) -> None:
    offer = sdp.parse_offer(text("safari").replace("setup:actpass", f"setup:{offered}"))
    assert offer.setup == ours and f"a=setup:{ours}\r\n" in answer(offer)


REFUSED = [
    ("", "no SDP"),
    ("hello", "no SDP"),
    ("v=0", "no audio"),
    ("v=0\r\nrubbish", "no SDP"),
    ("v=0\r\nm=audio", "malformed media line"),
    ("v=0\r\nm=audio 99999 UDP/TLS/RTP/SAVPF 0", "malformed media line"),
    ("v=0\r\n" + "a=x\r\n" * 5000, "lines"),
    ("v=0\r\n" + "x" * 70_000, "longer than 64 kB"),
    ("v=0\r\n" + "m=audio 9 RTP/AVP 0\r\n" * 65, "media sections"),
]
SPOILT = [
    ("m=audio 9", "m=audio 0", "no audio"),
    ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "not encrypted"),
    ("opus/48000/2", "opus/16000", "no Opus"),
    ("a=rtcp-mux\r\n", "", "rtcp-mux"),
    ("a=fingerprint:sha-256", "a=other", "no DTLS fingerprint"),
    ("a=fingerprint:sha-256", "a=fingerprint:sha-1", "unknown kind"),
    ("0A:74", "0A:7", "malformed or of an unknown kind"),
    ("a=ice-ufrag:u2Yx\r\n", "", "no ice-ufrag"),
    ("a=ice-ufrag:u2Yx", "a=ice-ufrag:u", "malformed ice-ufrag"),
    ("a=ice-pwd:", "a=ice-pwd:$", "malformed ice-pwd"),
    ("setup:actpass", "setup:holdconn", "unknown setup"),
    ("a=mid:audio", "a=mid:a b", "malformed mid"),
    ("a=mid:audio", "a=mid:" + "a" * 65, "malformed mid"),
]


@pytest.mark.parametrize(("offer", "why"), REFUSED)
def test_what_is_no_offer_is_refused(offer: str, why: str) -> None:
    with pytest.raises(sdp.SdpError, match=why) as caught:
        sdp.parse_offer(offer)
    assert caught.value.hint


@pytest.mark.parametrize(("old", "new", "why"), SPOILT)
def test_an_offer_that_lacks_something_is_refused(old: str, new: str, why: str) -> None:
    whole = text("safari")
    assert old in whole
    with pytest.raises(sdp.SdpError, match=why) as caught:
        sdp.parse_offer(whole.replace(old, new))
    assert caught.value.hint


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_garbled_offers_are_answered_or_refused(name: str, seed: int) -> None:
    dice = random.Random(f"{name} {seed}")
    whole = text(name)
    for _ in range(250):
        garbled = list(whole)
        for _ in range(dice.choice((1, 3, 30))):
            at = dice.randrange(len(garbled))
            match dice.randrange(4):
                case 0:
                    garbled[at] = chr(dice.choice((0, 10, 13, 32, 58, 61, 255, 0x2028, dice.randrange(256))))
                case 1:
                    del garbled[at : at + dice.randrange(1, 80)]
                case 2:
                    garbled[at:at] = garbled[dice.randrange(len(garbled)) :][: dice.randrange(200)]
                case _:
                    garbled[at:at] = list(str(dice.choice((-1, 0, 65536, 1 << 70, "x" * 300, "\u0661"))))
            if not garbled:
                garbled = ["v"]
        try:
            offer = sdp.parse_offer("".join(garbled))
        except sdp.SdpError:
            continue
        lines = answer(offer).split("\r\n")
        assert all(re.fullmatch(r"[a-z]=[^\r\n\0]*", line) for line in lines[:-1])
        assert sum(line.startswith("m=") for line in lines) == len(offer.sections)
