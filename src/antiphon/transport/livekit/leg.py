"""A LiveKit room as a leg: the caller is the participant that the agent is linked to.

Driven by the plane's thread; the room's connection is in the room thread. Messages of ``messages.py`` come in by ``signal`` and
go out as ``LegEvent('signal')``. What was heard is counted from what was handed to the SDK, its queue and the network's delay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.errors import AudioError, ConfigurationError
from antiphon.transport.livekit.messages import Connected, FromRoom, SendDtmf, read_to_room, write
from antiphon.transport.livekit.room_thread import RoomThread
from antiphon.transport.paced import PacedOutput

if TYPE_CHECKING:
    from antiphon.transport.livekit.connection import RoomConnection
    from antiphon.transport.livekit.sender import RoomSender

AHEAD = 0.04
"""Seconds of the agent's sound that the SDK holds."""
FAR_BUFFER = 0.06
"""Seconds that a client's jitter buffer usually holds."""
MEASURE_EVERY = 5.0
MOST_TOLD = 1024
MOST_HEARD = 1024
"""Frames of callers' sound that wait for the plane: 20 s, for what a client recorded before it was connected."""
MOST_AT_ONCE = EAR_RATE // 5
"""Samples of them that the plane takes in a tick: ten times as fast as they were said."""


class LiveKitLeg:
    """One room."""

    in_rate = EAR_RATE
    out_rate = PLAY_RATE
    symbolic = False
    needs_aec = False
    quality: Literal["peer", "device", "paced", "estimated"] = "paced"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._thread: RoomThread | None = None
        self._connection: RoomConnection | None = None
        self._sender: RoomSender | None = None
        self._events: deque[LegEvent] = deque()
        """From the room thread, to the plane's."""
        self._heard: deque[AudioFrame] = deque(maxlen=MOST_HEARD)
        self._output = PacedOutput(PLAY_RATE, AHEAD + FAR_BUFFER)
        self._coming: deque[tuple[float, AudioFrame]] = deque()
        self._next_measure = 0.0
        self._dropped = 0

    # --- LegMedia ------------------------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        self._next_measure = now + MEASURE_EVERY
        thread = self._thread = RoomThread.acquire()
        thread.call(self._begin, thread)

    def events(self, now: float) -> Sequence[LegEvent]:
        """Raises ``AudioError`` when the room could not be joined, or the token does not let the agent do its part."""
        if self._connection is not None and self._connection.failure:
            raise self._connection.failure
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        """Once a tick: what has come in, and what is due to go out."""
        thread, connection = self._thread, self._connection
        if thread is not None and connection is not None:
            due = [frame.data for frame in self._take_due(now)]
            if due:
                thread.call(connection.play, b"".join(due))
            if now >= self._next_measure:
                self._next_measure = now + MEASURE_EVERY
                thread.call(self._measure, thread, connection)
                self._output.delay = AHEAD + FAR_BUFFER + connection.round_trip / 2
        frames: list[AudioFrame] = []
        while self._heard and sum(frame.samples for frame in frames) < MOST_AT_ONCE:
            frames.append(self._heard.popleft())
        return frames

    def play(self, now: float, frame: AudioFrame) -> None:
        self._coming.append((now, frame))
        self._output.play(now, frame)

    def _take_due(self, now: float) -> list[AudioFrame]:
        due = []
        while self._coming and self._coming[0][0] <= now + AHEAD:
            due.append(self._coming.popleft()[1])
        return due

    def flush(self, now: float) -> int:
        """Take back what the SDK does not have yet."""
        rest = sum(frame.samples for _, frame in self._coming)
        self._coming.clear()
        return self._output.drop(rest)

    def heard(self, now: float) -> int:
        self._output.take(now)
        return self._output.heard(now)

    def send_digits(self, digits: str) -> None:
        self._ask(SendDtmf(digits=digits))

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.call(self._end)
            thread.release()

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages that were no messages, or too many."""
        return {"signals_dropped": self._dropped} if self._dropped else {}

    # --- SignalledLeg --------------------------------------------------------------------------------------------------

    def signal(self, now: float, data: str) -> None:
        """A message of the session's."""
        try:
            message = read_to_room(data)
        except msgspec.MsgspecError:
            self._dropped += 1
            return
        self._ask(message)

    # --- ReattachedLeg -------------------------------------------------------------------------------------------------

    def attached(self, now: float) -> None:
        """Another session has the room: it is told who is there."""
        if self._thread is not None:
            self._thread.call(self._say_again)

    def _ask(self, message: Any) -> None:
        if self._thread is not None:
            self._thread.call(self._pass_on, message)

    # --- the room thread -----------------------------------------------------------------------------------------------

    def _begin(self, thread: RoomThread) -> None:
        from antiphon.transport.livekit.connection import LiveKitOptions, RoomConnection
        from antiphon.transport.livekit.receiver import RoomReceiver
        from antiphon.transport.livekit.sender import RoomSender

        options = msgspec.convert(dict(self._options), LiveKitOptions)
        connection = RoomConnection(
            thread, options, tell=self._tell, hear=self._heard.append, event=self._events.append
        )
        receiver = RoomReceiver(thread, connection, self._tell, connection.event)
        self._sender = RoomSender(thread, connection, receiver, self._tell)
        self._connection = connection
        thread.spawn(connection.run(receiver.begin))

    def _pass_on(self, message: Any) -> None:
        if self._sender is not None:
            self._sender.ask(message)

    def _say_again(self) -> None:
        if self._connection is not None:
            self._connection.say_again()

    def _tell(self, message: FromRoom) -> None:
        if isinstance(message, Connected) and self._sender is not None:
            self._sender.begin()
        if len(self._events) < MOST_TOLD:
            self._events.append(LegEvent("signal", write(message)))
        else:
            self._dropped += 1

    def _measure(self, thread: RoomThread, connection: RoomConnection) -> None:
        thread.spawn(connection.measure())

    def _end(self) -> None:
        if self._sender is not None:
            self._sender.close()
        if self._connection is not None:
            self._connection.close()


def make_leg(options: Mapping[str, Any]) -> LiveKitLeg:
    """Options as of ``connection.LiveKitOptions``, in plain data."""
    if find_spec("livekit") is None or find_spec("livekit.rtc") is None:
        raise ConfigurationError(
            "LiveKit rooms need the livekit package, which is not installed.",
            hint="Run: pip install 'antiphon[livekit]'.",
        )
    if not options.get("url") or not options.get("token"):
        raise AudioError("The livekit transport needs url and token.")
    return LiveKitLeg(options)
