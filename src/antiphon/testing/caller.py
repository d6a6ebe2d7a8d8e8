"""The caller: somebody with a mouth and an ear on the other end of the line, who follows a script.

A ``Caller`` is a list of steps; ``LiveCaller`` does them on the virtual clock, and is what a caller written as an async
function is given. It never looks into the session: it knows what it hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from antiphon.audio.frames import Symbol
from antiphon.testing.leg import SimulatedLeg
from antiphon.testing.speech import spoken_seconds

PATIENCE = 30.0
"""Seconds a caller waits for something before going on with the script; ``complaints`` then says so."""
QUIET = 0.8
"""Seconds of silence after which the agent counts as finished."""


class LiveCaller:
    """A caller in a call. ``complaints``: what it waited for in vain."""

    def __init__(self, leg: SimulatedLeg, origin: float) -> None:
        self._leg = leg
        self._origin = origin
        self._loop = asyncio.get_running_loop()
        self._listened = 0
        self._last_word = 0
        self.complaints: list[str] = []
        self.hung_up = False

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return self._loop.time() - self._origin

    @property
    def heard(self) -> str:
        """Every word of the agent heard so far."""
        return self._leg.ear.text

    @property
    def heard_digits(self) -> str:
        """Every key tone that the agent sent so far."""
        return self._leg.sent_digits

    # --- making sound --------------------------------------------------------------------------------------------

    async def says(
        self, text: str, *, at: float | None = None, after: float = 0.0, seconds: float | None = None
    ) -> None:
        """Say ``text``, ``at`` this second of the call or ``after`` so many seconds, taking ``seconds`` (0.3 a word).
        Returns when it has been said."""
        await self._until(at, after)
        length = spoken_seconds(text) if seconds is None else seconds
        self._mark()
        self._leg.utter(self._loop.time(), Symbol("speech", text, total=length), asks=True)
        await asyncio.sleep(length)

    async def hums(
        self, text: str = "mhm", *, at: float | None = None, after: float = 0.0, seconds: float = 0.3
    ) -> None:
        """Show that you listen, without wanting the word. It does not count as a turn of yours."""
        await self._until(at, after)
        self._leg.utter(self._loop.time(), Symbol("speech", text, total=seconds))
        await asyncio.sleep(seconds)

    async def coughs(self, *, at: float | None = None, after: float = 0.0, seconds: float = 0.4) -> None:
        """Make a sound that voice activity detection takes for speech and that has no words."""
        await self._until(at, after)
        self._leg.utter(self._loop.time(), Symbol("speech", "", total=seconds))
        await asyncio.sleep(seconds)

    async def makes_noise(self, seconds: float, *, at: float | None = None, after: float = 0.0) -> None:
        """Background noise that is not speech."""
        await self._until(at, after)
        self._leg.utter(self._loop.time(), Symbol("noise", total=seconds))
        await asyncio.sleep(seconds)

    async def stays_silent(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def presses(self, digits: str, *, at: float | None = None, after: float = 0.0) -> None:
        """Press keys, five a second."""
        await self._until(at, after)
        for digit in digits:
            self._leg.digits(digit, self._loop.time())
            await asyncio.sleep(0.2)

    async def writes(self, text: str, *, at: float | None = None, after: float = 0.0) -> None:
        """Send a written message over the leg."""
        await self._until(at, after)
        self._mark()
        self._leg.text(text, self._loop.time())
        await asyncio.sleep(0)

    # --- listening -----------------------------------------------------------------------------------------------

    async def waits_for_agent(self, *, patience: float = PATIENCE, quiet: float = QUIET) -> None:
        """Wait until the agent has said something since your last turn and has been quiet for ``quiet`` seconds."""
        ear = self._leg.ear
        began = self.now
        if not await ear.until(lambda: len(ear.sounds) > self._listened or self._spoke_since(began), patience):
            self.complaints.append(f"at {self.now:.1f} s: the agent said nothing for {patience:g} s")
            return
        while (rest := ear.sounds[-1].end + quiet - self.now) > 1e-6:  # noqa: ASYNC110  (new sound moves the end)
            await asyncio.sleep(rest)
        self._mark()

    async def waits_for_words(self, text: str, *, patience: float = PATIENCE) -> None:
        """Wait until the agent has said ``text`` (whole words, since your last turn)."""
        await self._hears(lambda: text.casefold() in self._new_text().casefold(), f"to say {text!r}", patience)

    async def talks_over(
        self,
        text: str,
        *,
        after_word: int | None = None,
        after_text: str | None = None,
        seconds: float | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Begin to say ``text`` when the agent's ``after_word``-th word (since your last turn) or ``after_text`` has
        been heard."""
        if after_text is not None:
            await self.waits_for_words(after_text, patience=patience)
        else:
            count = 1 if after_word is None else after_word
            await self._hears(lambda: len(self._new_text().split()) >= count, f"for {count} words", patience)
        await self.says(text, seconds=seconds)

    # --- leaving -------------------------------------------------------------------------------------------------

    async def hangs_up(self, *, at: float | None = None, after: float = 0.0) -> None:
        await self._until(at, after)
        self.hung_up = True
        self._leg.hangup(self._loop.time())
        await asyncio.sleep(0)

    async def vanishes(self, *, at: float | None = None, after: float = 0.0, noticed_after: float = 5.0) -> None:
        """The line is dead from here on: no sound, no acknowledgement, no goodbye. ``noticed_after``: seconds until
        the transport says that the peer is lost."""
        await self._until(at, after)
        self.hung_up = True
        self._leg.vanish(self._loop.time(), noticed_after)
        await asyncio.sleep(0)

    async def comes_back(self, *, at: float | None = None, after: float = 0.0) -> None:
        """A caller who vanished is on the line again."""
        await self._until(at, after)
        self.hung_up = False
        self._leg.come_back(self._loop.time())
        await asyncio.sleep(0)

    # --- inside --------------------------------------------------------------------------------------------------

    def _mark(self) -> None:
        self._listened = len(self._leg.ear.sounds)
        self._last_word = len(self._leg.ear.words)

    def _spoke_since(self, at: float) -> bool:
        sounds = self._leg.ear.sounds
        return bool(sounds) and sounds[-1].end > at + 1e-6

    def _new_text(self) -> str:
        return " ".join(word.text for word in self._leg.ear.words[self._last_word :] if word.whole)

    async def _hears(self, ready: Callable[[], bool], what: str, patience: float) -> None:
        self._leg.watch(+1)
        try:
            if not await self._leg.ear.until(ready, patience):
                self.complaints.append(f"at {self.now:.1f} s: waited {patience:g} s {what}")
        finally:
            self._leg.watch(-1)

    async def _until(self, at: float | None, after: float) -> None:
        rest = after if at is None else at - self.now
        if rest > 0:
            await asyncio.sleep(rest)


Script = Callable[[LiveCaller], Awaitable[Any]]


class Caller:
    """A caller's script: the methods of ``LiveCaller``, in the order in which they are to be done.

    ``Caller().says("Hello.").waits_for_agent().hangs_up()``
    """

    def __init__(self) -> None:
        self.steps: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def says(self, text: str, **when: Any) -> Caller:
        return self._add("says", text, **when)

    def hums(self, text: str = "mhm", **when: Any) -> Caller:
        return self._add("hums", text, **when)

    def coughs(self, **when: Any) -> Caller:
        return self._add("coughs", **when)

    def makes_noise(self, seconds: float, **when: Any) -> Caller:
        return self._add("makes_noise", seconds, **when)

    def stays_silent(self, seconds: float) -> Caller:
        return self._add("stays_silent", seconds)

    def presses(self, digits: str, **when: Any) -> Caller:
        return self._add("presses", digits, **when)

    def writes(self, text: str, **when: Any) -> Caller:
        return self._add("writes", text, **when)

    def waits_for_agent(self, **options: Any) -> Caller:
        return self._add("waits_for_agent", **options)

    def waits_for_words(self, text: str, **options: Any) -> Caller:
        return self._add("waits_for_words", text, **options)

    def talks_over(self, text: str, **options: Any) -> Caller:
        return self._add("talks_over", text, **options)

    def hangs_up(self, **when: Any) -> Caller:
        return self._add("hangs_up", **when)

    def vanishes(self, **when: Any) -> Caller:
        return self._add("vanishes", **when)

    def comes_back(self, **when: Any) -> Caller:
        return self._add("comes_back", **when)

    def _add(self, step: str, *args: Any, **kwargs: Any) -> Caller:
        self.steps.append((step, args, kwargs))
        return self

    async def __call__(self, live: LiveCaller) -> None:
        """Do the steps, one after the other."""
        for step, args, kwargs in self.steps:
            await getattr(live, step)(*args, **kwargs)
