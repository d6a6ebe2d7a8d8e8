"""What a run of the kit found: one line a check, for people and for programs."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Result = Literal["passed", "failed", "not declared", "not shown", "missing", "not possible"]
"""``not declared``: the model does not claim it. ``not shown``: declared, and not to be seen from outside. ``missing``: the
vendor offers it, and the model does not declare it. ``not possible``: the rig cannot cause this fault."""


class Check(msgspec.Struct, frozen=True):
    """``group``: contract, capability, or the fault's group. ``detail``: what was seen, where that says something."""

    group: str
    name: str
    result: Result
    detail: str = ""


class Report(msgspec.Struct):
    """``model``: ``provider/model``. ``capabilities``: as declared."""

    kind: Literal["stt", "llm", "tts"]
    model: str
    capabilities: dict[str, Any] = {}
    checks: list[Check] = []

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if check.result == "failed"]

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not self.failures

    def count(self, result: Result) -> int:
        return sum(check.result == result for check in self.checks)

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode({"ok": self.ok, **msgspec.to_builtins(self)}), indent=2)

    def __str__(self) -> str:
        lines = [f"{self.kind} {self.model}: {'passed' if self.ok else 'FAILED'}"]
        width = max((len(f"{check.group}: {check.name}") for check in self.checks), default=0)
        for check in self.checks:
            said = f"  {check.detail}" if check.detail else ""
            lines.append(f"  {f'{check.group}: {check.name}':{width}}  {check.result}{said}")
        counted = [f"{count} {result}" for result in Result.__args__ if (count := self.count(result))]  # type: ignore[attr-defined]
        return "\n".join([*lines, f"  {', '.join(counted)}"])
