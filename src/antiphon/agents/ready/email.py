"""GetEmailTask: an e-mail address, validated, read back, spelt where it could be heard wrongly."""

from __future__ import annotations

from typing import Any

from antiphon.agents.fields.answer import Reader
from antiphon.agents.fields.email import EmailReader
from antiphon.agents.fields.spoken import spoken_email
from antiphon.agents.ready.field_task import FieldTask


class GetEmailTask(FieldTask[str]):
    """Asks for an e-mail address; the result is the address, lower case.

    Needs ``pip install 'antiphon[tasks]'``. Arguments as for ``FieldTask``.
    """

    field = "email"
    package = "email_validator"
    wanted = "the caller's e-mail address"
    form = "name@domain"

    def reader(self) -> Reader[str]:
        return EmailReader()

    def spoken(self, value: str) -> str:
        return spoken_email(value, self.texts) if self.texts else value

    def expects(self) -> dict[str, Any]:
        return {"expect": "email"}
