"""The real voice, recogniser and end-of-turn model, in this process."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from antiphon.audio.frames import FLUSH, AudioFrame, Symbol
from antiphon.errors import AudioError, ModelError
from antiphon.local.hosts import InProcessHost
from antiphon.local.pcm import to_ear
from antiphon.local.requests import Done, Reply, Speak
from antiphon.local.stt import LocalSTT
from antiphon.local.tts import LocalTTS
from antiphon.local.turn_detector import LocalTurnDetector
from antiphon.models.turn_detector import TurnEvidence
from tests.local.sound import finals, heard, marked, noise, recorded, spoken


def test_what_the_voice_says_is_what_the_recogniser_hears(host: InProcessHost) -> None:
    async def story() -> None:
        stt = LocalSTT(host)
        for text, words in (
            ("Please bring me a large latte with oat milk.", "large latte with oat milk"),
            ("My train leaves at 7:30 from platform 12.", "7 30 from platform 12"),
        ):
            events = await heard(stt, await recorded(host, text))
            assert words in finals(events), finals(events)
            last = [e for e in events if e.kind == "final"][-1]
            assert 0.3 < last.start < last.end and last.seconds > 0.5 and last.confidence > 0.5
            assert [e.revision for e in events if e.segment == last.segment] == sorted(
                e.revision for e in events if e.segment == last.segment
            )

    asyncio.run(story())


def test_partials_come_while_the_caller_speaks(host: InProcessHost) -> None:
    async def story() -> None:
        sound = await recorded(host, "I would like to order two cappuccinos and a chocolate muffin for my friend.")
        events = await heard(LocalSTT(host), sound, pause=0.015)
        partials = [e for e in events if e.kind == "partial"]
        assert len(partials) >= 3 and len({e.text for e in partials}) >= 3
        assert events[-1].kind == "final"

    asyncio.run(story())


def test_a_flush_brings_the_final(host: InProcessHost) -> None:
    async def story() -> None:
        sound = await recorded(host, "Good morning everybody.", tail=0.0)
        stream = LocalSTT(host).stream()
        for frame in marked(sound):
            stream.push(frame)
        stream.push(FLUSH)
        async with aclosing(stream):
            async with asyncio.timeout(10):
                async for event in stream:
                    if event.kind == "final":
                        assert "morning" in event.text.lower()
                        break

    asyncio.run(story())


def test_unmarked_sound_is_never_decoded(host: InProcessHost) -> None:
    """Silence, hum and noise that the detector did not call speech: no text, and nothing is asked of the model."""

    async def story() -> None:
        stream = LocalSTT(host).stream()
        for n, data in enumerate((bytes(32_000), noise(1.0, 0.05))):
            for begin in range(0, len(data), 640):
                at = n + begin / 32_000
                stream.push(AudioFrame.pcm(data[begin : begin + 640], 16_000, at=at, speech=False))
        stream.push(FLUSH)
        stream.end_input()
        assert [event async for event in stream] == []

    asyncio.run(story())


def test_noise_taken_for_speech_gives_no_words(host: InProcessHost) -> None:
    async def story() -> None:
        for sound in (bytes(16_000), noise(1.5, 0.05), noise(0.6, 0.2), noise(3.0, 0.01)):
            stream = LocalSTT(host).stream()
            for begin in range(0, len(sound), 640):
                stream.push(AudioFrame.pcm(sound[begin : begin + 640], 16_000, at=begin / 32_000, speech=True))
            stream.push(AudioFrame.pcm(bytes(640), 16_000, at=len(sound) / 32_000, speech=False))
            stream.end_input()
            events = [event async for event in stream]
            assert events[-1].kind == "final" and not any(event.text for event in events)

    asyncio.run(story())


def test_odd_frames(host: InProcessHost) -> None:
    async def story() -> None:
        stream = LocalSTT(host).stream()
        for rate in (8_000, 11_025, 44_100, 48_000):
            stream.push(AudioFrame.pcm(b"\x01\x02\x03" * rate, rate, speech=False))
        stream.push(AudioFrame.pcm(b"", 16_000, speech=True))
        stream.push(AudioFrame.pcm(b"\x01", 16_000))
        stream.end_input()
        assert all(not event.text for event in [event async for event in stream])
        for bad in (AudioFrame(b"", 16_000, 320, symbol=Symbol("speech", "hi")), AudioFrame(b"\0\0", 0, 1)):
            broken = LocalSTT(host).stream()
            broken.push(bad)
            with pytest.raises(AudioError):
                async for _ in broken:
                    pass

    asyncio.run(story())


def test_half_a_minute_without_a_pause_is_cut_and_all_heard(host: InProcessHost) -> None:
    async def story() -> None:
        once = await recorded(host, "we count the sheep in the field and then we count the cows", lead=0.0, tail=0.0)
        stream = LocalSTT(host).stream()
        at, times = 0.0, 0
        while at < 27:
            times += 1
            for begin in range(0, len(once), 640):
                data = once[begin : begin + 640]
                stream.push(AudioFrame.pcm(data, 16_000, at=at, speech=True))
                at += len(data) / 32_000
        stream.end_input()
        said = [event async for event in stream if event.kind == "final"]
        assert len(said) >= 2
        assert finals(said).count("sheep") >= times - 2

    asyncio.run(story())


def test_segments_words_and_frames_of_the_voice(host: InProcessHost) -> None:
    async def story() -> None:
        tts = LocalTTS(host)
        frames = await spoken(host, "That's $4.50, please.", "...", "", "Thanks a lot, see you at 7:30!")
        assert [f.segment for f in frames] == sorted(f.segment for f in frames) and {f.segment for f in frames} == {
            0,
            3,
        }
        assert all(
            f.rate == tts.sample_rate and len(f.data) == 2 * f.samples and 0.02 <= f.duration <= 0.2 for f in frames
        )
        for segment, written in ((0, "That's $4.50, please."), (3, "Thanks a lot, see you at 7:30!")):
            mine = [f for f in frames if f.segment == segment]
            words = [word for f in mine for word in f.words]
            assert " ".join(word.text for word in words) == written
            assert [w.start for w in words] == sorted(w.start for w in words)
            assert words[-1].end <= sum(f.duration for f in mine) + 0.05

    asyncio.run(story())


def test_very_long_and_strange_texts(host: InProcessHost) -> None:
    async def story() -> None:
        assert await spoken(host, "", "   ", "\U0001f600\U0001f600", "!?", "*** ---") == []
        frames = await spoken(host, "Zxqvw \u4f60\u597d na\u00efve \u00fcber 1,000,000 " + "very " * 50 + "long.")
        assert sum(f.duration for f in frames) > 6

    asyncio.run(story())


def test_closing_a_voice_frees_it_at_once(host: InProcessHost) -> None:
    async def story() -> None:
        stream = LocalTTS(host).stream()
        for _ in range(30):
            stream.push_text("This is a long sentence that nobody will ever hear to its end, I am afraid.")
        async for _ in stream:
            break
        await stream.aclose()
        await stream.aclose()
        assert [frame async for frame in stream] == []
        begun = asyncio.get_running_loop().time()
        assert await spoken(host, "Yes.")
        assert asyncio.get_running_loop().time() - begun < 2.0
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


def test_two_callers_at_once(host: InProcessHost) -> None:
    async def story() -> None:
        one, two = await asyncio.gather(recorded(host, "The weather is fine."), recorded(host, "My name is Robert."))
        stt = LocalSTT(host)
        first, second = await asyncio.gather(heard(stt, one), heard(stt, two))
        assert "weather" in finals(first) and "robert" in finals(second)

    asyncio.run(story())


def test_urgent_work_goes_first(host: InProcessHost) -> None:
    """A long speech is under way on every thread; an end-of-turn score still comes after one step of it."""

    async def story() -> None:
        order: list[str] = []

        def note(name: str) -> object:
            return lambda reply: order.append(name) if isinstance(reply, Done) else None

        text = "This is a rather long sentence that keeps the voice busy for quite some time."
        jobs = [host.engine.submit(Speak(model="piper-joe", text=text), note("speech")) for _ in range(4)]  # type: ignore[arg-type]
        detector = LocalTurnDetector(host, deadline=5.0)
        sound = AudioFrame.pcm(to_ear(AudioFrame.pcm(noise(1.0, 0.1), 16_000)), 16_000)
        assert 0.0 <= await detector.predict(TurnEvidence(audio=(sound,))) <= 1.0
        assert order.count("speech") < 4
        for job in jobs:
            job.cancel()

    asyncio.run(story())


def test_a_late_score_counts_as_none(host: InProcessHost) -> None:
    async def story() -> None:
        detector = LocalTurnDetector(host, deadline=0.0)
        with pytest.raises(ModelError, match="too late"):
            await detector.predict(TurnEvidence(audio=(AudioFrame.pcm(bytes(32_000), 16_000),)))
        with pytest.raises(ModelError, match="no audio"):
            await detector.predict(TurnEvidence())

    asyncio.run(story())


def test_the_detector_tells_a_finished_turn_from_a_broken_one(host: InProcessHost) -> None:
    async def story() -> None:
        sound = await recorded(host, "I would like a large latte with oat milk please.", tail=0.2)
        whole = AudioFrame.pcm(sound, 16_000)
        cut = AudioFrame.pcm(sound[: len(sound) // 2], 16_000)
        detector = LocalTurnDetector(host, deadline=5.0)
        finished = await detector.predict(TurnEvidence(audio=(whole,)))
        broken = await detector.predict(TurnEvidence(audio=(cut,)))
        assert finished > 0.5 > broken

    asyncio.run(story())


def test_an_unknown_request_is_refused(host: InProcessHost) -> None:
    async def story() -> None:
        replies: list[Reply] = []
        with pytest.raises(ModelError):
            async for reply in host.ask(Speak(model="silero-vad", text="hi")):
                replies.append(reply)
        assert not replies

    asyncio.run(story())
