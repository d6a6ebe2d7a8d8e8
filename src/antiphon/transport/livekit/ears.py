"""Whom a room's agent hears: one participant it is linked to, or everybody it may talk with, and what becomes of those who
drop out. In the room thread.

Who drops out is waited for: the same identity, or somebody of the same kind who comes then, takes the place; those who were
there before do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.transport.livekit.messages import FromRoom, Heard, Linked, Spoke
from antiphon.transport.livekit.mixer import VoiceMixer
from antiphon.transport.livekit.people import CERTAIN, kind_of
from antiphon.transport.livekit.pre_connect import Recordings
from antiphon.transport.livekit.room_thread import RoomThread
from antiphon.transport.livekit.room_use import RoomUse
from antiphon.transport.livekit.voice import Voice

TOLD_EVERY = 0.2
"""Seconds of one speaker after which it is told again, in the middle of the speech."""


class RoomEars:
    """``tell``, ``hear``, ``event``: as of ``RoomConnection``. ``people``: those who are in the room."""

    def __init__(
        self,
        thread: RoomThread,
        use: RoomUse,
        *,
        people: Callable[[], Iterable[rtc.RemoteParticipant]],
        tell: Callable[[FromRoom], object],
        hear: Callable[[AudioFrame], object],
        event: Callable[[LegEvent], object],
    ) -> None:
        self.linked = ""
        self.use = use
        self.recordings = Recordings()
        self.open = False
        """The room is joined and connected: those who are there may be linked."""
        self._thread, self._people = thread, people
        self._tell, self._hear, self._event = tell, hear, event
        self._voices: dict[str, tuple[Voice, asyncio.Task[None]]] = {}
        self._mixer = VoiceMixer()
        self._speaking = ("", 0.0, 0.0)
        self._missing: tuple[str, str, frozenset[str]] | None = None
        """Who dropped out: identity, kind, and who was there."""
        self._kind = self._pinned = ""
        """The linked one's kind; whom the program has asked for by name."""

    def track_of(self, identity: str) -> str:
        """The sid of the track by which this participant is heard."""
        voice = self._voices.get(identity)
        return "" if voice is None else voice[0].sid

    # --- whom -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The room is joined, or connected again."""
        self.open = True
        self._look()

    def pause(self) -> None:
        """The connection is lost: whose sound is asked for now would not come, since the SDK drops what it cannot send."""
        self.open = False

    def apply(self, use: RoomUse) -> None:
        """What the session wants now. Who does not fit is heard no more."""
        changed = (
            use.noise != self.use.noise
            or use.everybody != self.use.everybody
            or use.pre_connect != self.use.pre_connect
        )
        self.use = use
        for identity in list(self._voices):
            if changed or not use.hears or not self._wanted(identity):
                self._drop_voice(identity)
        if self.linked and not self._wanted(self.linked):
            self._unlink()
        self._missing = None
        self._look()

    def link(self, identity: str) -> None:
        """Hear this participant, or the first that comes."""
        self._pinned = identity
        if self.linked and (not identity or identity == self.linked):
            return
        self._missing = None
        if self.linked and not self.use.everybody:
            self._drop_voice(self.linked)
            self._unlink()
        elif identity and self.use.everybody and any(each.identity == identity for each in self._people()):
            self.linked = identity
            self.say_linked()
        self._look()

    def _wanted(self, identity: str) -> bool:
        if self._pinned and identity == self._pinned:
            return True
        who = next((each for each in self._people() if each.identity == identity), None)
        return who is not None and self._fits(who)

    def _fits(self, who: rtc.RemoteParticipant) -> bool:
        if self._pinned and not self.use.everybody:
            return bool(who.identity == self._pinned)
        return self.use.wants(who.identity, kind_of(who))

    def talks_with(self, identity: str) -> bool:
        """Whether what this participant writes or keys in is for the agent."""
        return identity == self.linked or ((self.use.everybody or not self.linked) and self._wanted(identity))

    def _look(self) -> None:
        for each in list(self._people()):
            self.consider(each)

    def consider(self, who: rtc.RemoteParticipant) -> None:
        """Hear them if they are whom we wait for."""
        if not self.open or not self._fits(who):
            return
        if self.linked and who.identity != self.linked and not self.use.everybody:
            return
        if not self.linked:
            if self._missing is not None and not self._takes_place(who):
                return
            self.linked, self._kind, self._missing = who.identity, kind_of(who), None
            self._event(LegEvent("up"))
        if self.use.hears:
            self._hear_voice(who)
        self.say_linked()

    def _takes_place(self, who: rtc.RemoteParticipant) -> bool:
        assert self._missing is not None
        identity, kind, there = self._missing
        return who.identity == identity or (who.identity not in there and kind_of(who) == kind)

    def gone(self, who: rtc.RemoteParticipant, reason: str) -> None:
        """A participant has left."""
        self._drop_voice(who.identity)
        if who.identity != self.linked:
            self._say_heard()
            return
        certain = reason in CERTAIN
        others = [each for each in self._people() if each.identity != who.identity]
        self._unlink()
        if self.use.everybody and any(self._fits(each) for each in others):
            self._look()
            return
        if not certain:
            self._missing = (who.identity, self._kind, frozenset(each.identity for each in others))
        over = certain and self.use.ends_with_caller
        self._event(LegEvent("down", reason, certain=over))
        if not over:
            self._look()

    def track_gone(self, sid: str) -> None:
        """A track is not there any more."""
        for identity, (voice, _) in list(self._voices.items()):
            if voice.sid == sid:
                self._drop_voice(identity)
                self.say_linked()

    def _unlink(self) -> None:
        self.linked = ""
        self._tell(Linked(""))

    def say_linked(self) -> None:
        """Whom the agent talks with, and all whom it hears."""
        self._tell(Linked(self.linked, self.track_of(self.linked)))
        self._say_heard()

    def _say_heard(self) -> None:
        if self.use.everybody:
            self._tell(Heard({identity: voice.sid for identity, (voice, _) in self._voices.items()}))

    # --- sound ------------------------------------------------------------------------------------------------------

    def _hear_voice(self, who: rtc.RemoteParticipant) -> None:
        """Their microphone, or what sound they have; nothing else of a room comes here."""
        sounds = [each for each in who.track_publications.values() if each.kind == rtc.TrackKind.KIND_AUDIO]
        microphone = rtc.TrackSource.SOURCE_MICROPHONE
        publication = next((each for each in sounds if each.source == microphone), sounds[0] if sounds else None)
        if publication is None:
            return
        if publication.track is None:
            publication.set_subscribed(True)
        else:
            self._listen(who.identity, publication)

    def _listen(self, identity: str, publication: rtc.RemoteTrackPublication) -> None:
        if self.track_of(identity) == publication.sid:
            return
        self._drop_voice(identity)
        voice = Voice(
            self._thread.loop,
            identity,
            publication,
            self.use,
            self.recordings,
            give=lambda samples, at: self._heard(identity, samples, at),
            problem=lambda text: self._event(LegEvent("error", text)),
        )
        self._voices[identity] = (voice, self._thread.spawn(voice.run()))

    def _drop_voice(self, identity: str) -> None:
        """Listen to them no more. Their track still comes: one that is left and taken again at once would be lost."""
        voice = self._voices.pop(identity, None)
        if voice is not None:
            voice[1].cancel()
            self._mixer.leave(identity)

    def _heard(self, identity: str, samples: NDArray[np.int16], at: float) -> None:
        if not self.use.everybody:
            self._hear(AudioFrame.pcm(samples.astype("<i2").tobytes(), EAR_RATE, at=at))
            return
        for frame, speaker in self._mixer.push(identity, samples, at):
            self._hear(frame)
            self._speaks(speaker, frame.at, frame.at + frame.duration)

    def _speaks(self, speaker: str, since: float, until: float) -> None:
        """Somebody (empty: nobody) is the loudest. Who begins is told at once: a short word may be final before anything else is."""
        who, told, last = self._speaking
        changes = speaker != who
        if who and last > told and (changes or last - told >= TOLD_EVERY):
            self._tell(Spoke(who, told, last))
            told = last
        if changes:
            told = since
            if speaker:
                self._tell(Spoke(speaker, since, until))
                told = until
        self._speaking = (speaker, told, until)

    def close(self) -> None:
        """The room is left."""
        for identity in list(self._voices):
            self._drop_voice(identity)
