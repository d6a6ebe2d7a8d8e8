"""GetChoiceTask: one of several options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.agents.fields.answer import Reader
from antiphon.agents.fields.choice import ChoiceReader
from antiphon.agents.fields.texts.texts import Texts
from antiphon.agents.ready.field_task import FieldTask
from antiphon.errors import ConfigurationError


class GetChoiceTask(FieldTask[str]):
    """Asks ``question`` and lets the caller choose; the result is the option.

    ``options``: a list of what may be said, or a dict from results to what may be said for them (a text or several; the
    first is what is said back). It is not read back unless ``confirm=True``. Other arguments as for ``FieldTask``.
    """

    field = "choice"

    def __init__(
        self,
        question: str,
        options: Sequence[str] | Mapping[str, str | Sequence[str]],
        *,
        confirm: bool = False,
        **more: Any,
    ) -> None:
        pairs = options.items() if isinstance(options, Mapping) else ((one, one) for one in options)
        self._names = {key: (names,) if isinstance(names, str) else tuple(names) for key, names in pairs}
        if len(self._names) < 2 or not all(self._names.values()):
            raise ConfigurationError("A choice needs two options or more, each with a name.")
        self.form = "one of " + ", ".join(self._names)
        self.wanted = f'the choice to "{question}"'
        super().__init__(ask=question, confirm=confirm, **more)

    def reader(self) -> Reader[str]:
        return ChoiceReader(self._names)

    def spoken(self, value: str) -> str:
        return self._names[value][0]

    def question(self, texts: Texts) -> str:
        return self._ask

    def options(self) -> str:
        return ", ".join(names[0] for names in self._names.values())
