"""GetPhoneNumberTask: a telephone number, validated by its country's tables, read back in groups."""

from __future__ import annotations

from typing import Any

from antiphon.agents.fields.phone import PhoneReader
from antiphon.agents.fields.spoken import spoken_digits
from antiphon.agents.ready.field_task import FieldTask
from antiphon.errors import ConfigurationError
from antiphon.turns.expectation import Expectation
from antiphon.turns.structured import digits_of

LENGTHS = {"US": 10, "CA": 10, "FR": 10, "ES": 9}
"""Digits of a number in countries where all numbers have as many."""


class GetPhoneNumberTask(FieldTask[str]):
    """Asks for a telephone number; the result is E.164 (``+14155552671``; with an extension ``+14155552671;ext=12``).

    ``region``: ISO 3166 country of numbers that are said without one (unset: that of the session's language). Needs
    ``pip install 'antiphon[tasks]'``. Other arguments as for ``FieldTask``.
    """

    field = "phone_number"
    package = "phonenumbers"
    wanted = "the caller's phone number"
    form = "digits, with + and the country where it was said"

    def __init__(self, *, region: str = "", **options: Any) -> None:
        if region and not (len(region) == 2 and region.isalpha()):
            raise ConfigurationError(f"region={region!r} is no country.", hint="Use two letters: region='DE'.")
        self._region = region.upper()
        super().__init__(**options)

    def reader(self) -> PhoneReader:
        return PhoneReader(self._region or PhoneReader().country(self.tag))

    def spoken(self, value: str) -> str:
        number, _, extension = value.partition(";ext=")
        if self.texts is None:
            return value
        said = spoken_digits(self.reader().groups(number, self.tag), self.texts)
        return f"{said}, {self.texts.extension} {spoken_digits([extension], self.texts)}" if extension else said

    def begun(self, text: str) -> str:
        return spoken_digits([digits_of(text, self.tag)], self.texts) if self.texts else text

    def expects(self) -> dict[str, Any]:
        return {"expect": Expectation("digits", LENGTHS.get(self._region, 0)), "endpointing": {"max_delay": 2.5}}
