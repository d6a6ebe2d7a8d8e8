"""Fault scripts: what goes wrong on which connection, when. The same script can be put on any simulator.

Owns faults of the connection and of single frames. What only one service can do wrong is an option of its simulator.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from antiphon.testing.simulators.base import Frame, Peer, Refusal

Kind = Literal[
    "refuse", "slow", "vanish", "close", "abort", "silent", "unread", "stall", "late",
    "malformed", "unknown", "empty", "huge", "other_kind", "duplicate", "swap", "drop",
]  # fmt: skip

ENDINGS: tuple[Kind, ...] = ("close", "abort", "silent")
ODDITIES: tuple[Kind, ...] = ("malformed", "unknown", "empty", "other_kind", "duplicate", "stall", "late")


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong. ``clients``: the connections it strikes, counted from 0 (``None``: all). ``after``: frames
    the service has sent before it strikes.

    At the handshake: ``refuse`` (``status``, ``retry_after``), ``slow`` (``seconds``), ``vanish`` (accepted, then broken).
    Later: ``close`` (``code``, ``reason``), ``abort`` (broken without a word), ``silent`` (takes everything, answers nothing),
    ``unread`` (reads no more), ``stall`` (one pause of ``seconds``), ``late`` (each frame ``seconds`` late).
    Frames: ``malformed``, ``unknown``, ``empty``, ``huge`` (one such frame is put in), ``other_kind`` (text as binary),
    ``duplicate`` (each frame twice), ``swap`` (a frame after the next one), ``drop`` (one frame is lost).
    """

    kind: Kind
    clients: tuple[int, ...] | None = (0,)
    after: int = 0
    status: int = 503
    retry_after: float | None = None
    code: int = 1011
    reason: str = ""
    seconds: float = 0.2

    def strikes(self, client: int) -> bool:
        return self.clients is None or client in self.clients


class FaultScript(msgspec.Struct, frozen=True):
    """All that goes wrong."""

    faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, *faults: Fault) -> FaultScript:
        return cls(faults)

    @classmethod
    def seeded(
        cls, seed: int, *, clients: int = 3, frames: int = 12, oddities: Sequence[Kind] = ODDITIES
    ) -> FaultScript:
        """A reproducible script: some of the first ``clients`` connections end badly somewhere in their first ``frames``
        frames, with ``oddities`` on the way; the connections after them are good."""
        dice = random.Random(seed)
        faults: list[Fault] = []
        for client in range(dice.randint(1, clients)):
            kind: Kind = dice.choice((*ENDINGS, "refuse", "vanish"))
            code = dice.choice((1000, 1001, 1006, 1011, 1012, 1013))
            faults.append(Fault(kind, (client,), after=dice.randint(0, frames), code=code, status=503))
            if dice.random() < 0.5:
                oddity = dice.choice(oddities)
                faults.append(Fault(oddity, (client,), after=dice.randint(0, frames), seconds=dice.random() * 0.3))
        return cls(tuple(faults))

    def of_client(self, client: int) -> list[Fault]:
        return [fault for fault in self.faults if fault.strikes(client)]

    async def at_handshake(self, client: int) -> Refusal | None:
        from antiphon.testing.simulators.base import Refusal

        for fault in self.of_client(client):
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
            if fault.kind == "refuse":
                headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
                return Refusal(fault.status, {"message": "scripted"}, headers)
        return None


class FaultGate:
    """Stands between a simulator and its peer: every frame goes through it."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._count = 0
        self._done: set[int] = set()
        self._held: Frame | None = None

    async def pass_on(self, peer: Peer, frame: Frame) -> None:
        """Deliver a frame, or what becomes of it."""
        frames = [frame]
        for n, fault in enumerate(self._faults):
            if self._count < fault.after:
                continue
            once = n not in self._done
            if fault.kind == "silent":
                return
            if fault.kind in ("close", "vanish"):
                await (peer.shut(fault.code, fault.reason) if fault.kind == "close" else peer.abort())
            elif fault.kind == "abort":
                await peer.abort()
            elif fault.kind == "late" or (fault.kind == "stall" and once):
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "duplicate":
                frames = [one for one in frames for _ in range(2)]
            elif fault.kind == "other_kind":
                frames = [one.encode() if isinstance(one, str) else one for one in frames]
            elif fault.kind == "swap" and once:
                self._held, frames = frame, []
            elif fault.kind == "drop" and once:
                frames = []
            elif once and fault.kind in _EXTRA:
                frames = [_EXTRA[fault.kind], *frames]
            self._done.add(n)
        self._count += 1
        if frames and self._held is not None:
            frames.append(self._held)
            self._held = None
        for one in frames:
            await peer.deliver(one)

    def unread(self) -> bool:
        return any(fault.kind == "unread" and self._count >= fault.after for fault in self._faults)

    def silent(self) -> bool:
        return any(fault.kind == "silent" and self._count >= fault.after for fault in self._faults)

    def vanishes(self) -> bool:
        return any(fault.kind == "vanish" for fault in self._faults)


_EXTRA: dict[str, Frame] = {
    "malformed": '{"type": "Resul',
    "unknown": '{"type": "SomethingNew", "value": null}',
    "empty": "",
    "huge": '{"type": "' + "x" * 5_000_000 + '"}',
}
