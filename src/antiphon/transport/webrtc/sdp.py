"""SDP: read a peer's offer, write our answer (RFC 8866, 8829, 9143, 8839, 8842, 7587).

Of all that is offered one audio section is taken, with Opus and, where offered, telephone events; every other section is
refused properly. No header extensions and no feedback messages are agreed to: nothing here would use them. Pure text:
knows no socket and no candidate from the inside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from antiphon.errors import AntiphonError
from antiphon.transport.webrtc.signals import MOST_SDP

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup = Literal["active", "passive"]

_MOST_LINES = 4000
_MOST_SECTIONS = 64
_MOST_CANDIDATES = 64
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")
_FORMAT = re.compile(r"[!-~]{1,64}")
_HEX = re.compile(r"(?:[0-9A-F]{2}:)*[0-9A-F]{2}")
_HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_MIRROR: dict[str, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_NEW_OFFER = "Make the offer with the browser's RTCPeerConnection and an audio track, and send it unchanged."


class SdpError(AntiphonError):
    """An offer that cannot be answered; says what is missing or wrong."""


class Fingerprint(NamedTuple):
    """Hash of a certificate: ``sha-256``, ``sha-384`` or ``sha-512``, and its upper-case hex with colons."""

    algorithm: str
    value: str


class Section(NamedTuple):
    """A media section as offered; ``attributes`` in order, as name and value."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """The first value of an attribute; empty for one that has none."""
        return next((value for key, value in self.attributes if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the answer and the transports need of an offer."""

    session: str
    """Names the peer connection that made the offer (of its ``o=`` line)."""
    sections: tuple[Section, ...]
    audio: int
    """Index of the section that is answered."""
    bundled: bool
    ufrag: str
    pwd: str
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    """Our part in the DTLS handshake."""
    direction: Direction
    """Ours."""
    opus: int
    """Payload type."""
    opus_options: dict[str, str]
    """What the peer asks of our encoder (``maxaveragebitrate``, ``useinbandfec``, ``cbr``, ...)."""
    telephone_event: int | None
    telephone_event_rate: int
    candidates: tuple[str, ...] = ()

    @property
    def mid(self) -> str:
        return self.sections[self.audio].get("mid") or ""


def parse_offer(text: str) -> Offer:
    """Raises ``SdpError`` for what cannot be answered."""
    session, sections = _split(text)
    usable = [(index, section) for index, section in enumerate(sections) if section.kind == "audio" and _alive(section)]
    if not usable:
        raise SdpError("The offer has no audio.", hint="Add the microphone's track (or an audio transceiver) first.")
    secure = [(index, section) for index, section in usable if "SAVP" in section.protocol]
    if not secure:
        raise SdpError("The offer's audio is not encrypted (no SAVP profile).", hint=_NEW_OFFER)
    found = next(((index, section, opus) for index, section in secure if (opus := _opus(section))), None)
    if found is None:
        raise SdpError("The offer's audio has no Opus (opus/48000/2).", hint="Leave Opus among the codecs.")
    index, audio, opus = found
    group = next((value.split() for value in session.all("group") if value.split()[:1] == ["BUNDLE"]), [])[1:]
    mid = audio.get("mid")
    bundled = mid is not None and mid in group
    tagged = next((section for section in sections if bundled and section.get("mid") == group[0]), audio)
    places = (audio, tagged, session)
    if audio.get("rtcp-mux") is None and tagged.get("rtcp-mux") is None:
        raise SdpError("The offer does not multiplex RTP and RTCP (rtcp-mux).", hint=_NEW_OFFER)
    event, event_rate = _telephone_event(audio)
    return Offer(
        session=session.get("") or "",
        sections=tuple(sections),
        audio=index,
        bundled=bundled,
        ufrag=_credential(places, "ice-ufrag", _UFRAG),
        pwd=_credential(places, "ice-pwd", _PWD),
        fingerprints=_fingerprints(places),
        setup=_setup(_first(places, "setup")),
        direction=_MIRROR[_direction(audio) or _direction(session) or "sendrecv"],
        opus=opus,
        opus_options=_options(audio, opus),
        telephone_event=event,
        telephone_event_rate=event_rate,
        candidates=tuple((audio.all("candidate") or tagged.all("candidate"))[:_MOST_CANDIDATES]),
    )


def write_answer(
    offer: Offer,
    *,
    session: int,
    ufrag: str,
    pwd: str,
    fingerprint: Fingerprint,
    ssrc: int,
    candidates: Sequence[str] = (),
    complete: bool = True,
    version: int = 1,
) -> str:
    """``session``: our number for the peer connection; ``candidates``: each without ``a=``; ``complete``: no more will
    follow."""
    lines = ["v=0", f"o=- {session} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if offer.bundled:
        lines.append(f"a=group:BUNDLE {offer.mid}")
    lines.append("a=ice-options:trickle")
    for index, section in enumerate(offer.sections):
        if index != offer.audio:
            lines += [f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0"]
            if mid := section.get("mid"):
                lines.append(f"a=mid:{mid}")
            continue
        event, rate = offer.telephone_event, offer.telephone_event_rate
        formats = [str(offer.opus), *([] if event is None else [str(event)])]
        lines += [f"m=audio 9 {section.protocol} {' '.join(formats)}", "c=IN IP4 0.0.0.0"]
        if offer.mid:
            lines.append(f"a=mid:{offer.mid}")
        lines += [
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
            f"a=setup:{offer.setup}",
            f"a={offer.direction}",
            "a=rtcp:9 IN IP4 0.0.0.0",
            "a=rtcp-mux",
            f"a=rtpmap:{offer.opus} opus/48000/2",
            f"a=fmtp:{offer.opus} minptime=10;useinbandfec=1;usedtx=0",
        ]
        if event is not None:
            lines += [f"a=rtpmap:{event} telephone-event/{rate}", f"a=fmtp:{event} 0-15"]
        lines.append("a=ptime:20")
        if offer.direction in ("sendrecv", "sendonly"):
            lines += ["a=msid:antiphon agent", f"a=ssrc:{ssrc} cname:antiphon", f"a=ssrc:{ssrc} msid:antiphon agent"]
        lines += [f"a={candidate}" for candidate in candidates]
        if complete:
            lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


# --- reading -------------------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[Section, list[Section]]:
    """The session part (its ``o=`` line under an empty name) and the media sections."""
    if len(text) > MOST_SDP:
        raise SdpError(f"The offer is longer than {MOST_SDP // 1024} kB.", hint=_NEW_OFFER)
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    if not lines or lines[0].strip() != "v=0":
        raise SdpError("The offer is no SDP: it does not begin with v=0.", hint=_NEW_OFFER)
    if len(lines) > _MOST_LINES:
        raise SdpError(f"The offer has more than {_MOST_LINES} lines.", hint=_NEW_OFFER)
    session: list[tuple[str, str]] = []
    attributes = session
    heads: list[tuple[str, list[tuple[str, str]]]] = []
    for line in lines[1:]:
        letter, mark, value = line[:1], line[1:2], line[2:]
        if mark != "=":
            raise SdpError(f"The offer has a line that is no SDP: {line[:40]!r}.", hint=_NEW_OFFER)
        if letter == "m":
            attributes = []
            heads.append((value, attributes))
        elif letter == "a":
            name, _, rest = value.partition(":")
            attributes.append((name, rest.strip()))
        elif letter == "o" and attributes is session:
            session.append(("", " ".join(value.split()[:2])))
    if len(heads) > _MOST_SECTIONS:
        raise SdpError(f"The offer has more than {_MOST_SECTIONS} media sections.", hint=_NEW_OFFER)
    return Section("session", 0, "", (), tuple(session)), [_section(head, found) for head, found in heads]


def _section(head: str, attributes: list[tuple[str, str]]) -> Section:
    kind, *rest = head.split()[:64] or [""]
    port = rest[0].partition("/")[0] if rest else ""
    formats = tuple(rest[2:])
    written = (kind, *rest[1:2], *formats)
    if len(rest) < 3 or not _number(port, 65535) or not all(_FORMAT.fullmatch(word) for word in written):
        raise SdpError(f"The offer has a malformed media line: {head[:60]!r}.", hint=_NEW_OFFER)
    section = Section(kind, int(port), rest[1], formats, tuple(attributes))
    mid = section.get("mid")
    if mid is not None and not _TOKEN.fullmatch(mid):
        raise SdpError(f"The offer has a malformed mid: {mid[:60]!r}.", hint=_NEW_OFFER)
    return section


def _number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most


def _alive(section: Section) -> bool:
    return section.port != 0 or section.get("bundle-only") is not None


def _first(places: Sequence[Section], name: str) -> str | None:
    return next((value for place in places if (value := place.get(name)) is not None), None)


def _credential(places: Sequence[Section], name: str, form: re.Pattern[str]) -> str:
    value = _first(places, name)
    if value is None or not form.fullmatch(value):
        raise SdpError(f"The offer has {'no' if value is None else 'a malformed'} {name}.", hint=_NEW_OFFER)
    return value


def _fingerprints(places: Sequence[Section]) -> tuple[Fingerprint, ...]:
    written = next((values for place in places if (values := place.all("fingerprint"))), [])
    if not written:
        raise SdpError("The offer has no DTLS fingerprint.", hint=_NEW_OFFER)
    found = []
    for value in written[:16]:
        algorithm, _, digits = value.partition(" ")
        print_ = Fingerprint(algorithm.lower(), digits.strip().upper())
        size = _HASHES.get(print_.algorithm)
        if size is not None and _HEX.fullmatch(print_.value) and len(print_.value) == 3 * size - 1:
            found.append(print_)
    if not found:
        raise SdpError(
            f"The offer's DTLS fingerprint is malformed or of an unknown kind: {written[0][:40]!r}.",
            hint=f"Use one of {', '.join(_HASHES)}.",
        )
    return tuple(found)


def _setup(value: str | None) -> Setup:
    match value:
        case None | "actpass" | "passive":
            return "active"
        case "active":
            return "passive"
    raise SdpError(f"The offer has an unknown setup: {value[:40]!r}.", hint=_NEW_OFFER)


def _direction(section: Section) -> str | None:
    return next((name for name, _ in section.attributes if name in _MIRROR), None)


def _rtpmaps(section: Section) -> list[tuple[int, str]]:
    """Payload types in the order of the media line, with what they stand for (in lower case)."""
    names: dict[str, str] = {}
    for value in section.all("rtpmap"):
        number, _, name = value.partition(" ")
        names.setdefault(number, name.strip().lower())
    return [(int(each), names[each]) for each in section.formats if each in names and _number(each, 127)]


def _opus(section: Section) -> int:
    """The payload type, 0 for none (0 itself is always PCMU)."""
    return next((number for number, name in _rtpmaps(section) if name == "opus/48000/2"), 0)


def _telephone_event(section: Section) -> tuple[int | None, int]:
    """At Opus' clock rate where there is a choice (RFC 4733 wants one clock a stream)."""
    offered = {name: number for number, name in reversed(_rtpmaps(section))}
    for rate in (48000, 8000):
        if (number := offered.get(f"telephone-event/{rate}")) is not None:
            return number, rate
    return None, 0


def _options(section: Section, payload_type: int) -> dict[str, str]:
    options: dict[str, str] = {}
    for value in section.all("fmtp"):
        number, _, rest = value.partition(" ")
        if number == str(payload_type):
            for part in rest.split(";")[:32]:
                name, _, setting = part.strip().partition("=")
                options[name.lower()] = setting
    return options
