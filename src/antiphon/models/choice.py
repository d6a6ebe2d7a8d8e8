"""Several models where one is expected, written before it is known what for.

Owns what a session asks of such a list. Never: which of the models is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from antiphon.errors import ConfigurationError

Kind = Literal["stt", "llm", "tts"]


class ModelChoice(ABC):
    """Several models, or strings that name them, in the order of preference."""

    kinds: ClassVar[tuple[Kind, ...]] = ("stt", "llm", "tts")

    def __init__(self, models: Sequence[Any]) -> None:
        self.models = tuple(models)
        if not self.models or isinstance(models, str):
            raise ConfigurationError(
                f"{type(self).__name__} needs a list of models.",
                hint=f'Write {type(self).__name__}(["openai/gpt-4o", "ollama/qwen3:4b"]).',
            )

    @abstractmethod
    def make(self, kind: Kind, models: Sequence[Any]) -> Any:
        """The model of this kind over ``models``, which are objects of it."""

    def model(self, kind: str, resolve: Callable[[Any], Any]) -> Any:
        """The model of a kind; ``resolve`` makes each one's object. Raises ``ConfigurationError`` for other kinds."""
        known = next((one for one in self.kinds if one == kind), None)
        if known is None:
            raise ConfigurationError(
                f"{type(self).__name__} cannot stand for {kind}=.", hint=f"It works for: {', '.join(self.kinds)}."
            )
        return self.make(known, [resolve(one) for one in self.models])
