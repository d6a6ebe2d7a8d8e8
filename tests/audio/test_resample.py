from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.resample import Resampler, resample, resampled_length
from antiphon.errors import AudioError

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]


def sine(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    return (10000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def middle(samples: np.ndarray) -> np.ndarray:
    return samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)


@pytest.mark.parametrize("from_rate", RATES)
@pytest.mark.parametrize("to_rate", RATES)
def test_a_voice_tone_keeps_its_size_place_and_length(from_rate: int, to_rate: int) -> None:
    made = resample(sine(1000, from_rate), from_rate, to_rate)
    assert len(made) == resampled_length(from_rate // 2, from_rate, to_rate)
    wanted = 10000 * np.sin(2 * np.pi * 1000 * np.arange(len(made)) / to_rate)
    error = middle(made) - middle(wanted)
    assert 20 * np.log10(np.sqrt(np.mean(error**2)) / 7071) < -55


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48000, 16000), (44100, 16000), (24000, 8000), (22049, 16000)])
def test_what_the_lower_rate_cannot_carry_is_gone(from_rate: int, to_rate: int) -> None:
    alias = middle(resample(sine(to_rate / 2 * 1.05, from_rate), from_rate, to_rate))
    assert 20 * np.log10(np.sqrt(np.mean(alias**2)) / 7071 + 1e-9) < -50


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48000, 16000), (24000, 48000), (16000, 24000)])
def test_the_pass_band_reaches_four_fifths_of_the_band(from_rate: int, to_rate: int) -> None:
    kept = middle(resample(sine(min(from_rate, to_rate) / 2 * 0.8, from_rate), from_rate, to_rate))
    assert abs(20 * np.log10(np.sqrt(np.mean(kept**2)) / 7071)) < 0.5


@settings(max_examples=40, deadline=None)
@given(
    rates=st.tuples(st.sampled_from([*RATES, 12345]), st.sampled_from([*RATES, 44101])),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=12),
    seed=st.integers(0, 9),
)
def test_chunk_sizes_make_no_difference(rates: tuple[int, int], cuts: list[int], seed: int) -> None:
    sound = np.random.default_rng(seed).integers(-20000, 20000, sum(cuts)).astype(np.int16)
    stream = Resampler(*rates)
    parts = [stream.process(part) for part in np.split(sound, np.cumsum(cuts)[:-1])]
    parts.append(stream.flush())
    pieced = np.concatenate(parts)
    whole = resample(sound, *rates)
    assert len(pieced) == len(whole) == resampled_length(len(sound), *rates)
    assert np.max(np.abs(pieced.astype(int) - whole.astype(int)), initial=0) <= 1


def test_a_flushed_stream_begins_anew() -> None:
    stream = Resampler(24000, 16000)
    first = np.concatenate((stream.process(sine(500, 24000)), stream.flush()))
    again = np.concatenate((stream.process(sine(500, 24000)), stream.flush()))
    assert np.array_equal(first, again)
    assert stream.flush().size == 0


def test_a_rate_that_cannot_be_is_refused() -> None:
    with pytest.raises(AudioError):
        Resampler(0, 16000)
