"""Hearing goes on through a recogniser that fails, falls deaf or is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.kernel.events import Event, Final, Partial, ProviderTurn, SttLost
from antiphon.models.stt import STTEvent
from antiphon.session.hearing import Hearing
from antiphon.session.lanes import Inlet, Lane
from antiphon.testing.loop import run

Node = Callable[[Inlet[AudioFrame]], AsyncIterator[STTEvent]]


def frame(at: float, speech: bool) -> AudioFrame:
    return AudioFrame(data=b"", rate=16_000, samples=320, at=at, speech=speech)


class Ears:
    """A Hearing around ``node``, fed by hand."""

    def __init__(
        self, node: Node, partials: bool = True, who_spoke: Callable[[float, float], str] | None = None
    ) -> None:
        lane = Lane(asyncio.get_running_loop())
        self.events: list[Event] = []
        self.hearing = Hearing(
            lane=lane,
            node=node,
            node_lane=lane,
            post=self.events.append,
            session_time=lambda at: at,
            on_partial=lambda text: None,
            partials=partials,
            who_spoke=who_spoke,
        )
        self.at = 0.0

    async def hears(self, seconds: float, speech: bool = True) -> None:
        for _ in range(round(seconds / 0.02)):
            self.hearing.push(frame(self.at, speech))
            self.at += 0.02
            await asyncio.sleep(0.02)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def test_partials_and_finals_share_a_segment_and_count_revisions() -> None:
    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        yield STTEvent(kind="partial", text="one")
        yield STTEvent(kind="partial", text="one two")
        yield STTEvent(kind="final", text="One two.", end=0.1)
        yield STTEvent(kind="partial", text="three")
        yield STTEvent(kind="turn_likely")
        yield STTEvent(kind="turn_end")
        await asyncio.Event().wait()

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await asyncio.sleep(0.1)
        assert [(e.segment, e.revision, e.text) for e in ears.of(Partial)] == [
            ("1.0", 1, "one"),
            ("1.0", 2, "one two"),
            ("1.1", 1, "three"),
        ]
        final = ears.of(Final)[0]
        assert (final.segment, final.revision, final.at) == ("1.0", 3, 0.1)
        assert ears.of(ProviderTurn) == [ProviderTurn(edge="likely"), ProviderTurn(edge="end")]
        await ears.hearing.aclose()

    run(main())


def test_a_failed_recogniser_is_made_anew_and_gets_the_audio_again() -> None:
    heard: list[list[float]] = []

    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        heard.append([])
        async for one in audio:
            heard[-1].append(one.at)
            if len(heard) == 1 and one.at > 0.4:
                raise ModelError("gone", retryable=True)
        yield STTEvent(kind="final", text="never")

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await ears.hears(1.0)
        await ears.hearing.aclose()
        assert [e.recovering for e in ears.of(SttLost)] == [True]
        assert heard[1][0] == 0.0
        assert len(heard[1]) >= 49

    run(main())


def test_a_recogniser_that_begins_and_breaks_each_time_is_given_up() -> None:
    """Words that only begin to come are no work done."""

    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        yield STTEvent(kind="partial", text="one")
        raise ModelError("gone", retryable=True)

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await asyncio.sleep(60.0)
        await ears.hearing.aclose()
        assert [e.recovering for e in ears.of(SttLost)] == [True] * 5 + [False]

    run(main())


def test_audio_that_a_final_has_covered_is_not_replayed() -> None:
    heard: list[list[float]] = []

    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        heard.append([])
        async for one in audio:
            heard[-1].append(one.at)
            if len(heard) == 1 and abs(one.at - 0.5) < 0.001:
                yield STTEvent(kind="final", text="first", end=0.4)
                raise ModelError("gone")

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await ears.hears(1.0)
        await ears.hearing.aclose()
        assert heard[1][0] > 0.4

    run(main())


def test_a_deaf_recogniser_is_noticed_while_the_caller_speaks() -> None:
    started = []

    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        started.append(1)
        async for one in audio:
            if len(started) > 1:
                yield STTEvent(kind="final", text="heard after all", end=one.at)

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        for _ in range(3):
            await ears.hears(1.3)
            await ears.hears(1.0, speech=False)
        await ears.hears(0.5)
        await ears.hearing.aclose()
        assert len(started) == 2
        assert "said nothing" in ears.of(SttLost)[0].error
        assert ears.of(Final)

    run(main())


def test_one_without_partials_may_keep_silent_until_its_final() -> None:
    started = []

    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        started.append(1)
        async for one in audio:
            if one.at > 8.0 and len(started) == 1:
                yield STTEvent(kind="final", text="all of it", end=one.at)
                break
        await asyncio.Event().wait()

    async def main() -> None:
        ears = Ears(node, partials=False)
        ears.hearing.start()
        await ears.hears(8.1)
        await ears.hears(5.0, speech=False)
        assert len(started) == 1
        await ears.hears(1.0)
        await ears.hears(4.0, speech=False)
        assert len(started) == 2
        await ears.hearing.aclose()

    run(main())


def test_silence_is_no_deafness() -> None:
    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        async for _ in audio:
            pass
        yield STTEvent(kind="final")

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await ears.hears(10.0, speech=False)
        await ears.hearing.aclose()
        assert not ears.of(SttLost)

    run(main())


def test_one_that_cannot_be_retried_is_given_up() -> None:
    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        raise ModelError("bad key", retryable=False)
        yield STTEvent(kind="final")

    async def main() -> None:
        ears = Ears(node)
        ears.hearing.start()
        await ears.hears(1.0)
        await ears.hearing.aclose()
        assert [e.recovering for e in ears.of(SttLost)] == [False]

    run(main())


def test_another_recogniser_takes_over_without_losing_words() -> None:
    heard: list[float] = []

    async def first(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        async for _ in audio:
            pass
        yield STTEvent(kind="final")

    async def second(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        async for one in audio:
            heard.append(one.at)
        yield STTEvent(kind="final")

    async def main() -> None:
        ears = Ears(first)
        ears.hearing.start()
        await ears.hears(0.5)
        await ears.hearing.restart(second, Lane(asyncio.get_running_loop()), True)
        await ears.hears(0.5)
        await ears.hearing.aclose()
        assert heard[0] == 0.0
        assert len(heard) >= 49

    run(main())


def test_words_are_told_with_who_said_them() -> None:
    async def node(audio: Inlet[AudioFrame]) -> AsyncIterator[STTEvent]:
        async for frame in audio:
            if round(frame.at, 2) == 0.5:
                yield STTEvent(kind="partial", text="one")
                yield STTEvent(kind="final", text="One.", end=0.5)
            if round(frame.at, 2) == 1.0:
                yield STTEvent(kind="final", text="Two.", end=1.0)
                yield STTEvent(kind="final", text="Three.", end=1.0, speaker="C")

    async def main() -> None:
        ears = Ears(node, who_spoke=lambda since, until: "anna" if since < 0.25 else "ben")
        ears.hearing.start()
        await ears.hears(1.2)
        await ears.hearing.aclose()
        assert [event.speaker for event in ears.of(Partial)][:1] == ["anna"]  # type: ignore[attr-defined]
        assert [event.speaker for event in ears.of(Final)] == ["anna", "ben", "C"]  # type: ignore[attr-defined]

    run(main())
