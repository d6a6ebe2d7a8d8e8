"""GetYesNoTask: a yes or a no to a question."""

from __future__ import annotations

from typing import Any

from antiphon.agents.fields.answer import Reader
from antiphon.agents.fields.texts.texts import Texts
from antiphon.agents.fields.yes_no import YesNoReader
from antiphon.agents.ready.field_task import FieldTask


class GetYesNoTask(FieldTask[bool]):
    """Asks ``question``; the result is ``True`` for a yes, ``False`` for a no.

    It is not read back. Other arguments as for ``FieldTask``.
    """

    field = "answer"
    form = "yes or no"
    answers_itself = True

    def __init__(self, question: str, *, confirm: bool = False, **options: Any) -> None:
        self.wanted = f'a yes or no to "{question}"'
        super().__init__(ask=question, confirm=confirm, **options)

    def reader(self) -> Reader[bool]:
        return YesNoReader()

    def written(self, value: bool) -> str:
        return "yes" if value else "no"

    def spoken(self, value: bool) -> str:
        return self.written(value)

    def question(self, texts: Texts) -> str:
        return self._ask

    def expects(self) -> dict[str, Any]:
        return {"expect": "yes_no"}
