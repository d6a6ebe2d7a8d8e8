"""GetDateTimeTask: a day and a time, a day alone or a time alone, within what is allowed, read back with the weekday."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, tzinfo
from typing import Any

from antiphon.agents.fields.answer import Reader
from antiphon.agents.fields.date_time import DateTimeReader, Mode, When
from antiphon.agents.fields.spoken import spoken_when
from antiphon.agents.ready.field_task import FieldTask
from antiphon.errors import ConfigurationError

FORMS = {"datetime": "ISO 8601 (2026-12-01T16:30)", "date": "ISO 8601 (2026-12-01)", "time": "24 hours (16:30)"}
WANTED = {"datetime": "the day and time", "date": "the day", "time": "the time"}


class GetDateTimeTask(FieldTask[When]):
    """Asks for a day and time. The result is a ``datetime`` with a time zone, for ``mode="date"`` a ``date``, for
    ``mode="time"`` a ``time``.

    ``earliest``, ``latest``: bounds (a date, or a point in time with a zone); unset, nothing in the past is allowed.
    ``hours``: from when to when on a day; they also tell 4 in the morning from 4 in the afternoon. ``check``: says of a
    value why it is not allowed, in a sentence for the caller, ``None`` where it is. ``time_zone``: what the caller's
    times are in (unset: the machine's). ``clock``: gives the present. Other arguments as for ``FieldTask``.
    """

    field = "datetime"

    def __init__(
        self,
        *,
        mode: Mode = "datetime",
        earliest: date | None = None,
        latest: date | None = None,
        hours: tuple[time, time] | None = None,
        check: Callable[[When], str | None] | None = None,
        time_zone: tzinfo | None = None,
        clock: Callable[[], datetime] | None = None,
        **options: Any,
    ) -> None:
        if mode not in FORMS:
            raise ConfigurationError(f"mode={mode!r} is not known.", hint="Use 'datetime', 'date' or 'time'.")
        if hours and hours[0] >= hours[1]:
            raise ConfigurationError("hours= has to be from an earlier to a later time of one day.")
        self.field, self.form, self.wanted = mode, FORMS[mode], WANTED[mode]
        self._bounds: dict[str, Any] = {"earliest": earliest, "latest": latest, "hours": hours, "check": check}
        self._mode, self._zone, self._present = mode, time_zone, clock
        super().__init__(**options)

    def _clock(self) -> datetime:
        present = self._present() if self._present else datetime.now().astimezone()
        return present.astimezone(self._zone) if self._zone else present.astimezone()

    def reader(self) -> Reader[When]:
        now = self.now.astimezone(self._zone) if self._zone else self.now
        return DateTimeReader(now=now, mode=self._mode, **self._bounds)

    def spoken(self, value: When) -> str:
        return spoken_when(value, self.texts, self.now.date()) if self.texts else self.written(value)

    def told_apart(self, values: Sequence[When]) -> list[str]:
        """Without what they have in common: two times of one day, one time on two days."""
        if all(isinstance(value, datetime) for value in values):
            for part in ({value.date() for value in values}, {value.time() for value in values}):
                if len(part) == 1:
                    return [self.spoken(value.time() if value.date() in part else value.date()) for value in values]
        return super().told_apart(values)

    def written(self, value: When) -> str:
        return str(value.isoformat())
