"""Noise cancelling of a participant's sound, by the user's own code: imported by its path, since it runs in the media process.

It runs in the room thread: what is slow there delays every room of the process. So it is watched, and what raises or cannot
keep up is left out for the rest of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from antiphon.audio import driver
from antiphon.errors import AudioError
from antiphon.transport.livekit.room_use import Noise

TOO_SLOW = 25
"""Frames in a row that took longer than they last, after which the filter is left out."""


class NoiseFilter(Protocol):
    """What ``noise_cancellation`` makes for each participant: ``factory(rate, **options)``."""

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """One frame (mono int16), cleaned: as many samples. Called in order, in the media process."""
        ...


def make_filter(noise: Noise) -> Any:
    """A filter for one participant: a ``NoiseFilter``, or what LiveKit's SDK takes as noise cancellation. Raises
    ``AudioError``."""
    module, _, name = noise.path.partition(":")
    try:
        factory: Any = import_module(module)
        for part in name.split("."):
            factory = getattr(factory, part)
        made = factory(noise.rate, **noise.options) if not _is_sdk(factory) else factory(**noise.options)
    except Exception as error:
        raise AudioError(
            f"The noise cancelling {noise.path} cannot be made: {type(error).__name__}: {error}.",
            hint="It is imported in the media process, and called with the rate and its options.",
        ) from error
    if not callable(getattr(made, "process", None)) and not isinstance(made, _SDK):
        raise AudioError(
            f"What {noise.path} makes has no process(samples).", hint="See NoiseFilter in the page on workers."
        )
    return made


_SDK = (rtc.FrameProcessor, rtc.NoiseCancellationOptions)


def _is_sdk(factory: Any) -> bool:
    return isinstance(factory, type) and issubclass(factory, _SDK)


def for_sdk(filter: Any) -> Any:
    """The filter, where the SDK is to call it; else nothing."""
    return filter if isinstance(filter, _SDK) else None


class WatchedFilter:
    """``failed``: told once, with the reason, when the filter is left out."""

    def __init__(self, filter: NoiseFilter, rate: int, failed: Callable[[str], object]) -> None:
        self._filter: NoiseFilter | None = filter
        self._rate, self._failed = rate, failed
        self._slow = 0

    def process(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Cleaned, or as it came where the filter is out."""
        if self._filter is None:
            return samples
        began = driver.now()
        try:
            cleaned = np.asarray(self._filter.process(samples), dtype=np.int16)
        except Exception as error:
            self._out(f"it raised {type(error).__name__}: {error}")
            return samples
        if cleaned.shape != samples.shape:
            self._out(f"it made {cleaned.shape} of {samples.shape} samples")
            return samples
        self._slow = self._slow + 1 if driver.now() - began > samples.size / self._rate else 0
        if self._slow >= TOO_SLOW:
            self._out(f"it took longer than its frames last, {TOO_SLOW} times in a row")
        return cleaned

    def _out(self, why: str) -> None:
        self._filter = None
        self._failed(f"Noise cancelling is left out: {why}.")
