"""Listening: the shell's part between the plane's microphone audio and the kernel's evidence about turns."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from antiphon.agents.agent import ModelSettings, overrides
from antiphon.agents.nodes import listen
from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.question import said_last
from antiphon.models.stt import STTEvent
from antiphon.models.turn_detector import StreamingTurnDetector, TurnDetector, TurnEvidence
from antiphon.session.hearing import Hearing
from antiphon.session.lanes import Inlet, Lane, across
from antiphon.session.prefill import Prefill
from antiphon.session.turn_stream import TurnScores

if TYPE_CHECKING:
    from antiphon.session.bindings import Bound
    from antiphon.session.shell import Shell

SCORE_TIMEOUT = 1.0
"""Seconds an end-of-turn model may take for one pause; later than that its score counts as none."""

SttNode = Callable[[Inlet[AudioFrame]], AsyncIterator[STTEvent]]


class Listening:
    """Owns the session's ``Hearing``, what is read ahead of partials, and the scoring of pauses."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.hearing: Hearing | None = None
        self.scores: TurnScores | None = None
        self.prefill = Prefill(shell)

    def start(self) -> None:
        """Begin to listen, where the session has a recogniser."""
        shell = self._shell
        if not self._hears(shell.bound):
            return
        node, home, partials, metered = self._node()
        self.hearing = Hearing(
            lane=shell.lane,
            node=node,
            node_lane=home,
            post=shell.post,
            session_time=shell.session_time,
            on_partial=self.prefill.heard,
            partials=partials,
            metered=metered,
            count=self._count,
            names=f"{shell.services.epoch}/" if shell.services.epoch > 1 else "",
            who_spoke=shell.services.who_spoke,
        )
        self.hearing.start()
        self._listen_for_ends()

    def push(self, frame: AudioFrame) -> None:
        if self.hearing is not None:
            self.hearing.push(frame)
        if self.scores is not None:
            self.scores.push(frame)

    def words_of_before(self, *, again: bool) -> None:
        """What a former owner's recogniser had not finished, and never will. ``again``: the sound behind its last final comes once more,
        and so will the words; else those that there are stand."""
        for segment, heard in list(self._shell.kernel.state.turn.heard.items()):
            if heard.final:
                continue
            revision = heard.revision + 1
            if again:
                self._shell.post(ev.Partial(segment=segment, revision=revision, text=""))
            else:
                self._shell.post(ev.Final(segment=segment, revision=revision, text=heard.text, at=self._shell.now()))

    def rebound(self, previous: Bound) -> None:
        """Another agent or another recogniser: the stream goes on if it is the same, else audio is replayed to it."""
        shell = self._shell
        bound = shell.bound
        if not self._hears(bound):
            return
        if self.hearing is None:  # the first agent that has ears
            if shell.bridge.listen():
                self.start()
            return
        own = overrides(bound.agent, "stt_node") or overrides(previous.agent, "stt_node")
        other = shell.directory.language(previous.agent) != shell.directory.language(bound.agent)
        if previous.stt is not bound.stt or other or (own and previous.agent is not bound.agent):
            shell.keep(shell.lane.loop.create_task(self.hearing.restart(*self._node()), name="antiphon:stt-swap"))
        if previous.detector is not bound.detector:
            self._listen_for_ends()

    def _listen_for_ends(self) -> None:
        """Give the caller's audio to a detector that wants all of it, and to no other."""
        shell, detector = self._shell, self._shell.bound.detector
        if self.scores is not None:
            shell.keep(shell.lane.loop.create_task(self.scores.aclose(), name="antiphon:turn-scores-close"))
            self.scores = None
        if isinstance(detector, StreamingTurnDetector):
            self.scores = TurnScores(
                detector,
                lane=shell.lane,
                home=shell.lane if detector.on_core else shell.user_lane,
                language=shell.kernel.state.policy.turn.language,
                report=lambda error: shell.tell(shell.side.error, "turn_detector", error, True),
                lost=lambda frames: self._count("turn_frames", frames),
            )

    def flush(self, effect: fx.FlushStt) -> None:
        if self.hearing is not None:
            self.hearing.flush()

    def reset(self, effect: fx.ResetStt) -> None:
        if self.hearing is not None:
            self.hearing.reset()

    def score(self, effect: fx.ScoreTurn) -> None:
        """Ask the end-of-turn model; every way it can fail is "no score"."""
        shell = self._shell
        shell.keep(shell.lane.loop.create_task(self._score(effect), name="antiphon:score"))

    async def aclose(self) -> None:
        self.prefill.stop()
        if self.scores is not None:
            await self.scores.aclose()
        if self.hearing is not None:
            await self.hearing.aclose()

    def _hears(self, bound: Bound) -> bool:
        return bound.stt is not None or overrides(bound.agent, "stt_node")

    def _node(self) -> tuple[SttNode, Lane, bool, bool]:
        """The stream's maker, where it runs, whether it gives partials, and whether its audio is to be counted."""
        shell = self._shell
        agent, stt, language = shell.bound.agent, shell.bound.stt, shell.directory.language(shell.bound.agent)
        if overrides(agent, "stt_node") or stt is None:
            home = shell.user_lane
            partials = stt is None or stt.capabilities.partials
            metered = stt is not None and not stt.meters
            own: SttNode = lambda audio: across(lambda: agent.stt_node(audio, ModelSettings()), home=home)  # noqa: E731
            return own, home, partials, metered
        home = shell.lane if stt.on_core else shell.user_lane
        node: SttNode = lambda audio: across(lambda: listen(stt, audio, language), home=home)  # noqa: E731
        return node, home, stt.capabilities.partials, not stt.meters

    def _count(self, what: str, dropped: int) -> None:
        telemetry = self._shell.services.telemetry
        if telemetry is not None:
            telemetry.dropped({what: dropped})

    def _evidence(self, detector: TurnDetector, effect: fx.ScoreTurn) -> TurnEvidence:
        state = self._shell.kernel.state
        audio: tuple[AudioFrame, ...] = ()
        if detector.audio_seconds and self.hearing is not None:
            audio = self.hearing.last_seconds(detector.audio_seconds, self._shell.lane.loop.time())
        heard_until = self._shell.driver.session_time(audio[-1].at + audio[-1].duration) if audio else self._shell.now()
        return TurnEvidence(
            audio=audio,
            text=effect.text,
            language=state.policy.turn.language,
            asked=said_last(state),
            silence=max(0.0, heard_until - effect.at),
            expects=state.turn.expects.kind,
        )

    async def _predicted(self, detector: TurnDetector, evidence: TurnEvidence) -> float | None:
        """Its answer, on the loop where it lives: a user's own may block, and may hold what belongs to the user's loop."""

        async def answer() -> AsyncIterator[float]:
            yield await detector.predict(evidence)

        home = self._shell.lane if detector.on_core else self._shell.user_lane
        probability = None
        async for one in across(answer, home=home):
            probability = one
        return probability

    async def _score(self, effect: fx.ScoreTurn) -> None:
        shell, probability = self._shell, None
        question = shell.directory.detectors.get(shell.kernel.state.policy.turn.detector)
        detector = question or shell.bound.detector
        try:
            async with asyncio.timeout(SCORE_TIMEOUT):
                if self.scores is not None and question is None:
                    probability = await self.scores.newest(after=shell.driver.t0 + effect.at)
                elif detector is not None:
                    probability = await self._predicted(detector, self._evidence(detector, effect))
        except (ModelError, TimeoutError):
            self._count("turn_scores", 1)
        except Exception:
            shell.tell(shell.side.error, "turn_detector", traceback.format_exc(), True)
        shell.post(ev.EndScore(op=effect.op, probability=probability))
