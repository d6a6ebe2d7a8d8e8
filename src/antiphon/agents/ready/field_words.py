"""FieldWords: what a field says of itself, and the words for each move of its dialogue.

Owns no move: which one is next is the dialogue's business, when it is made the task's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from antiphon.agents.fields import dialogue as dl
from antiphon.agents.fields.answer import Reader, Refused
from antiphon.agents.fields.texts import texts
from antiphon.agents.fields.texts.texts import Texts
from antiphon.agents.task import AgentTask

T = TypeVar("T")


class FieldWords(AgentTask[T]):
    """A field: how it is read, written and spoken. The ready tasks override what is theirs."""

    _ask = ""

    field = ""
    """Names the tools and texts."""
    wanted = ""
    """What the model is told to get."""
    form = ""
    """How the model is to write it."""
    answers_itself = False
    """Whether a yes is an answer of its own, not an agreement to answer."""

    # --- what each field says of itself --------------------------------------------------------------------------

    def reader(self) -> Reader[T]:
        """Reads the caller's words."""
        raise NotImplementedError

    def spoken(self, value: T) -> str:
        """The value as it is read back."""
        return str(value)

    def told_apart(self, values: Sequence[T]) -> list[str]:
        """Values to choose between, as they are said."""
        return [self.spoken(value) for value in values]

    def written(self, value: T) -> str:
        """The value as the tools write it; ``reader().accept`` reads it."""
        return str(value)

    def expects(self) -> dict[str, Any]:
        """The turn policy of the answer: settings of ``TurnHandlingOptions``."""
        return {}

    def question(self, texts: Texts) -> str:
        """What is asked in the beginning; where it is empty, and ``ask=`` too, the model asks."""
        return texts.ask.get(self.field, "")

    @property
    def tag(self) -> str:
        """The BCP 47 tag of the language that is spoken."""
        return self.language or self._spoken or self.session.language

    @property
    def texts(self) -> Texts | None:
        """The texts of that language."""
        return texts(self.tag)

    # --- words for its moves ---------------------------------------------------------------------------------------------

    def words(self, talk: dl.Dialogue[T]) -> str:
        """What the move says; empty where it is the model's."""
        words, move = self.texts, talk.move
        if words is None:
            return ""
        match move:
            case dl.ReadBack():
                assert talk.value is not None
                return f"{words.read_back.format(value=self.spoken(talk.value))} {words.right}"
            case dl.AskAgain():
                return words.again.get(self.field, words.again[""])
            case dl.AskFor():
                missing = words.missing.get(move.missing, self._ask or self.question(words))
                return missing.format(begun=self.begun(move.begun))
            case dl.AskWhich():
                return words.unclear.format(values=words.either.join(self.told_apart(move.values)))
            case dl.SayWhyNot():
                return self.why_not(move.refused)
            case dl.Repeat():
                return self._ask or self.question(words)
            case dl.GoAhead():
                return words.go_ahead
            case dl.Insist():
                return f"{words.needed} {self._ask or self.question(words)}"
        return ""

    def begun(self, text: str) -> str:
        """What was understood of an answer that is not whole."""
        return text

    def options(self) -> str:
        """What may be chosen, as it is said."""
        return ""

    def why_not(self, answer: Any) -> str:
        """Why a value is not allowed, and the question again. A reader of your own brings the reason as ``Refused.text``."""
        words = self.texts
        if words is None or not isinstance(answer, Refused):
            return f"it cannot be read as {self.wanted}. Ask the caller for it."
        if answer.reason not in words.refused:
            return f"{answer.text or words.sorry} {self._ask or self.question(words)}"
        allowed = [one if isinstance(one, str) else self.spoken(one) for one in answer.allowed]
        return words.refused[answer.reason].format(allowed=allowed, text=answer.text, options=self.options())

    def come_back(self, talk: dl.Dialogue[T], *, sorry: bool) -> str:
        """The question that the field is at, after something else."""
        words = self.texts
        if words is None:
            return self._ask
        back = self._ask or self.question(words)
        if talk.value is not None:
            back = words.back.format(value=self.spoken(talk.value))
        elif talk.among:
            back = words.unclear.format(values=words.either.join(self.told_apart(talk.among)))
        return f"{words.sorry} {back}" if sorry else back

    def hint(self, talk: dl.Dialogue[T]) -> str:
        """For the model, in a language without texts: what it has to say now; empty where that is its own business."""
        if self.texts is not None:
            return ""
        match talk.move:
            case dl.ReadBack():
                assert talk.value is not None
                return f"Read {self.written(talk.value)} back to the caller and ask whether it is right."
            case dl.AskFor():
                return f"The answer is not whole. Ask for what is missing: {talk.move.missing}."
            case dl.AskWhich():
                return f"Ask which is meant: {' or '.join(self.written(value) for value in talk.move.values)}."
            case dl.SayWhyNot():
                allowed = ", ".join(str(one) for one in talk.move.refused.allowed)
                return f"That is not allowed ({talk.move.refused.reason} {allowed}). Say so, and ask for {self.wanted}."
            case dl.AskAgain() | dl.Repeat() | dl.GoAhead() | dl.Insist():
                return f"Ask the caller for {self.wanted} again."
        return ""
