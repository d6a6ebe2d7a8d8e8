"""A browser's call as a leg. It outlives its peer connections: a page that reloads, a laptop that was shut, another network
connect anew by an offer, while the conversation goes on.

Driven by the plane's thread; sockets and handshakes are in the network thread. Signals (``signals.py``) come in by
``signal`` and go out as ``LegEvent('signal')``.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antiphon.audio import driver
from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.errors import AudioError, ConfigurationError
from antiphon.transport.webrtc import sdp
from antiphon.transport.webrtc.ice_settings import IceSettings
from antiphon.transport.webrtc.media import PeerMedia
from antiphon.transport.webrtc.network import Network
from antiphon.transport.webrtc.signals import (
    Bye,
    Candidate,
    Connection,
    Dtmf,
    Error,
    FromLeg,
    Mute,
    Offer,
    Playout,
    SignalError,
    Text,
    read,
    write,
)

if TYPE_CHECKING:
    from antiphon.transport.webrtc.peer_connection import PeerConnection

MEDIA_WITHIN = 10.0
"""Seconds without sound from the page until it is told."""

_PACKAGES = ("aioice", "pylibsrtp", "OpenSSL")
_STATS_EVERY = 1.0
_MOST_SIGNALS = 512
_MOST_OFFERS = 10
_OFFERS_WITHIN = 10.0


class WebRTCOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``ice``: how paths to callers are found. ``bitrate``: bits a second of the agent's voice. ``complexity``: of its Opus
    encoder, 0 to 10: CPU against sound."""

    ice: IceSettings = IceSettings()
    bitrate: int = 32_000
    complexity: int = 5


class WebRTCLeg:
    """One caller's line. ``quality`` is ``peer`` while the page reports its playout, else ``paced``."""

    in_rate = EAR_RATE
    out_rate = PLAY_RATE
    symbolic = False
    needs_aec = False

    def __init__(self, options: WebRTCOptions) -> None:
        self.quality: Literal["peer", "device", "paced", "estimated"] = "paced"
        self._options = options
        self._network: Network | None = None
        self._peer: PeerConnection | None = None
        """The network thread's: the last offer's."""
        self._told: deque[tuple[PeerConnection | None, FromLeg]] = deque()
        self._events: list[LegEvent] = []
        self._media: PeerMedia | None = None
        """The plane's: the last peer connection that came up."""
        self._up = False
        self._muted = False
        self._mute_said = False
        """Since the last offer: a new page is not muted because the one before was."""
        self._played = 0
        """Samples taken by ``play`` and not by ``flush`` since ``open``."""
        self._base = 0
        """Of these, what went to earlier peer connections: heard, or past hope."""
        self._renewed = False
        self._heard = 0
        self._counts: dict[str, int] = {}
        self._offers: deque[float] = deque(maxlen=_MOST_OFFERS)
        self._next_stats = 0.0
        self._silence_told = False

    # --- LegMedia ------------------------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        self._network = Network.acquire()

    def events(self, now: float) -> Sequence[LegEvent]:
        while self._told:
            peer, signal = self._told.popleft()
            self._say(signal)
            if isinstance(signal, Error) and peer is not None:
                self._events.append(LegEvent("error", f"{signal.error} {signal.hint}".strip()))
            elif isinstance(signal, Connection) and peer is not None:
                self._follow(now, peer, signal.state)
        if self._media is not None:
            if digits := self._media.take_digits():
                self._events.append(LegEvent("dtmf", digits))
            self._watch(now, self._media)
        events, self._events = self._events, []
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        """Once a tick: what has come in, and what is due to go out."""
        media = self._media
        if media is None:
            return ()
        if media.peer.state != "closed":
            media.send(now)
        frames = media.capture(now)
        if self._muted:
            frames = [AudioFrame.pcm(bytes(len(each.data)), each.rate, at=each.at) for each in frames]
        return frames

    def play(self, now: float, frame: AudioFrame) -> None:
        if self._media is None:
            return
        if self._renewed:
            self._base, self._renewed = self._played, False
        self._played += frame.samples
        self._media.play(now, frame)

    def flush(self, now: float) -> int:
        if self._media is None:
            return 0
        dropped = self._media.flush(now)
        self._played -= dropped
        return dropped

    def heard(self, now: float) -> int:
        media = self._media
        if media is None:
            return self._heard
        self.quality = "peer" if media.reports(now) else "paced"
        if self._up and not self._renewed:
            self._heard = max(self._heard, min(self._played, self._base + media.heard(now)))
        return self._heard

    def send_digits(self, digits: str) -> None:
        """A page has no keypad to answer to."""

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        network, self._network = self._network, None
        if network is None:
            return
        if self._media is not None:
            if self._media.peer.state == "connected":
                self._media.goodbye(driver.now())
            self._add_counts(self._media)
        network.call(self._close_peer)
        network.release()

    @property
    def counts(self) -> Mapping[str, int]:
        """Packets lost, late, refused, malformed, of strangers, and what else went wrong."""
        return self._counts

    # --- SignalledLeg --------------------------------------------------------------------------------------------------

    def signal(self, now: float, data: str) -> None:
        """A message of the page."""
        try:
            signal = read(data)
        except SignalError as error:
            self._say(Error(None, error.message, error.hint))
            return
        network = self._network
        if network is None:
            return
        match signal:
            case Offer():
                self._mute_said = False
                network.call(self._on_offer, now, signal)
            case Candidate():
                network.call(self._on_candidate, signal)
            case Playout():
                if self._media is not None and self._up:
                    self._media.report(now, signal)
            case Mute():
                self._muted = self._mute_said = signal.muted
            case Text():
                self._events.append(LegEvent("text", signal.text))
            case Dtmf():
                self._events.append(LegEvent("dtmf", signal.digits))
            case Bye():
                self._up = False
                self._events.append(LegEvent("down", "hangup"))
                network.call(self._close_peer)

    # --- the plane's thread ----------------------------------------------------------------------------------------------

    def _follow(self, now: float, peer: PeerConnection, state: str) -> None:
        """A peer connection is in another state."""
        if state == "connected":
            if self._media is None or self._media.peer is not peer:
                self._down("The page has connected anew.")
                if self._media is not None:
                    self._add_counts(self._media)
                assert peer.srtp is not None
                self._media = PeerMedia(
                    peer, peer.srtp, now, bitrate=self._options.bitrate, complexity=self._options.complexity
                )
                self._renewed, self._silence_told = True, False
                self._muted = self._mute_said
                self._next_stats = now + _STATS_EVERY
            if not self._up:
                self._up = True
                self._events.append(LegEvent("up"))
        elif state == "lost":
            self._down("The page does not answer.")
        elif state == "closed":
            self._down("The page's connection is closed.")
        elif self._media is not None and peer is not self._media.peer:
            self._down("The page connects anew.")

    def _down(self, reason: str) -> None:
        if self._up:
            self._up = False
            self._events.append(LegEvent("down", reason, certain=False))

    def _watch(self, now: float, media: PeerMedia) -> None:
        """Once a second, how it goes; once a silence, that nothing comes."""
        if not self._up or now < self._next_stats:
            return
        self._next_stats = now + _STATS_EVERY
        self._say(media.stats())
        silent = media.expects and now - media.last_arrival > MEDIA_WITHIN
        if silent and not self._silence_told:
            self._say(
                Error(
                    media.peer.id,
                    f"No sound has come from the page for {MEDIA_WITHIN:g} s.",
                    "Is the microphone's track added to the connection, and live?",
                )
            )
        self._silence_told = silent

    def _say(self, signal: FromLeg) -> None:
        self._events.append(LegEvent("signal", write(signal)))

    def _add_counts(self, media: PeerMedia) -> None:
        for what, count in media.counts.items():
            self._counts[what] = self._counts.get(what, 0) + count

    # --- the network thread ----------------------------------------------------------------------------------------------

    def _on_offer(self, now: float, signal: Offer) -> None:
        from antiphon.transport.webrtc.peer_connection import PeerConnection

        network = self._network
        if network is None:
            return
        if len(self._offers) == _MOST_OFFERS and now - self._offers[0] < _OFFERS_WITHIN:
            self._tell(None, Error(signal.id, "There are too many offers.", "Wait a few seconds, then connect anew."))
            return
        self._offers.append(now)
        try:
            offer = sdp.parse_offer(signal.sdp)
        except sdp.SdpError as error:
            self._tell(None, Error(signal.id, error.message, error.hint))
            return
        if self._peer is not None and self._peer.renew(offer, signal.id):
            return
        self._close_peer()
        self._peer = PeerConnection(
            network,
            self._options.ice,
            network.certificate,
            offer,
            signal.id,
            ssrc=secrets.randbits(31) + 1,
            tell=self._tell_of,
            now=driver.now,
        )
        self._peer.begin()

    def _on_candidate(self, signal: Candidate) -> None:
        if self._peer is not None:
            self._peer.add_candidate(signal.id, signal.candidate)

    def _close_peer(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.close()

    def _tell_of(self, peer: PeerConnection, signal: FromLeg) -> None:
        """What a peer connection says counts while it is the last one."""
        if peer is self._peer:
            self._tell(peer, signal)

    def _tell(self, peer: PeerConnection | None, signal: FromLeg) -> None:
        if len(self._told) < _MOST_SIGNALS:
            self._told.append((peer, signal))


def make_leg(options: Mapping[str, Any]) -> WebRTCLeg:
    """Options as of ``WebRTCOptions``, in plain data."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise ConfigurationError(
            f"WebRTC calls need packages that are not installed: {', '.join(missing)}.",
            hint="Run: pip install 'antiphon[webrtc]'.",
        )
    try:
        return WebRTCLeg(msgspec.convert(dict(options), WebRTCOptions))
    except msgspec.ValidationError as error:
        raise AudioError(f"The webrtc transport does not know this option: {error}.") from error
