"""Days and times as callers say them, on Tuesday the 24th of November 2026, ten in the morning."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.agents.fields.answer import UNREAD, Found, Partial, Refused, Unclear
from antiphon.agents.fields.date_time import DateTimeReader
from antiphon.agents.fields.spoken import spoken_when
from antiphon.agents.fields.texts import texts
from antiphon.agents.fields.time_words import MONTHS, WEEKDAYS, spoken_number, spoken_ordinal

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=BERLIN)
ANY = DateTimeReader(NOW)
OPEN = DateTimeReader(NOW, hours=(time(9), time(18)))
ENGLISH = texts("en")


def at(month: int, day: int, hour: int, minute: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("tomorrow at noon", at(11, 25, 12)),
        ("next tuesday at half past four", at(12, 1, 16, 30)),
        ("in two weeks at four", at(12, 8, 16)),
        ("the third of december at nine thirty", at(12, 3, 9, 30)),
        ("thursday at three in the afternoon", at(11, 26, 15)),
        ("December 3rd 2026 at 4 PM", at(12, 3, 16)),
        ("today at 5 p.m.", at(11, 24, 17)),
        ("a week from friday at ten", at(12, 4, 10)),
        ("day after tomorrow at ten", at(11, 26, 10)),
        ("November 30th, 4:15 p.m.", at(11, 30, 16, 15)),
        ("half four on monday", at(11, 30, 16, 30)),
        ("tuesday at four", at(12, 1, 16)),
        ("on the first at eleven", at(12, 1, 11)),
        ("friday the fourth at two", at(12, 4, 14)),
        ("monday the thirtieth, nine oh five", at(11, 30, 9, 5)),
        ("twelve thirty tomorrow", at(11, 25, 12, 30)),
        ("can I come on wednesday around three", at(11, 25, 15)),
        ("3 weeks from tomorrow at 10", at(12, 16, 10)),
        ("in a week's time at ten", at(12, 1, 10)),
        ("this afternoon at four", at(11, 24, 16)),
        ("no not thursday, friday at ten", at(11, 27, 10)),
        ("tomorrow at ten to four", at(11, 25, 15, 50)),
        ("tomorrow at quarter past ten", at(11, 25, 10, 15)),
        ("monday next week at two", at(11, 30, 14)),
        ("next week on wednesday at two o'clock", at(12, 2, 14)),
        ("tuesday week at nine", at(12, 8, 9)),
        ("the 5th of may twenty twenty seven at sixteen hundred", at(5, 5, 16, year=2027)),
        ("2026-12-03 at 16:30", at(12, 3, 16, 30)),
    ],
)
def test_a_day_and_a_time_are_read(said: str, when: datetime) -> None:
    assert OPEN.read(said, "en") == Found(when)


def test_what_could_be_two_is_both() -> None:
    assert OPEN.read("next friday at four", "en") == Unclear((at(11, 27, 16), at(12, 4, 16)))
    assert ANY.read("tomorrow at four", "en") == Unclear((at(11, 25, 4), at(11, 25, 16)))
    assert ANY.read("next friday at four", "en") == Unclear((at(11, 27, 16), at(12, 4, 16)))
    assert OPEN.read("12/3 at 10 am", "en") == Unclear((at(12, 3, 10), at(3, 12, 10, year=2027)))
    assert OPEN.read("12/3 at 10 am", "en-US") == Found(at(12, 3, 10))
    assert OPEN.read("12/3 at 10 am", "en-GB") == Found(at(3, 12, 10, year=2027))


@pytest.mark.parametrize(
    "said", ["the first one", "this friday", "the twenty seventh", "the earlier one", "friday the twenty seventh"]
)
def test_one_of_two_days_is_picked(said: str) -> None:
    both = (at(11, 27, 16), at(12, 4, 16))
    if said == "this friday":
        assert OPEN.read(said, "en", both) == Found(both[0])
    else:
        assert OPEN.read(said, "en", both) == Found(both[0])


def test_one_of_two_halves_of_the_day_is_picked() -> None:
    both = (at(11, 25, 4), at(11, 25, 16))
    for said in ("in the afternoon", "pm", "the second", "four in the afternoon", "the later one", "sixteen hundred"):
        assert ANY.read(said, "en", both) == Found(both[1]), said
    assert ANY.read("in the morning please", "en", both) == Found(both[0])


def test_half_an_answer_is_begun() -> None:
    assert OPEN.read("in two weeks", "en") == Partial("time")
    assert OPEN.read("saturday", "en") == Partial("time")
    assert OPEN.read("quarter to five", "en") == Partial("day")
    assert OPEN.read("next week", "en") == Partial("day")
    assert OPEN.read("in the morning", "en") == Partial("day")


def test_what_is_not_allowed_is_refused_with_what_is() -> None:
    assert OPEN.read("yesterday at four", "en") == Refused("past")
    assert OPEN.read("yesterday", "en") == Refused("past")
    assert OPEN.read("today at nine in the morning", "en") == Refused("past")
    assert OPEN.read("tomorrow at eight in the evening", "en") == Refused("hours", (time(9), time(18)))
    assert OPEN.read("friday the third at two", "en") == Refused("mismatch", (date(2026, 12, 3),))
    assert OPEN.read("february thirtieth at ten", "en") == Refused("no_such_day")
    bounded = DateTimeReader(NOW, earliest=date(2026, 11, 26), latest=date(2026, 12, 24))
    assert bounded.read("tomorrow at noon", "en") == Refused("too_early", (date(2026, 11, 26),))
    assert bounded.read("on january third at noon", "en") == Refused("too_late", (date(2026, 12, 24),))
    closed = DateTimeReader(NOW, check=lambda when: "We are closed on Sundays." if when.weekday() == 6 else None)
    assert closed.read("sunday at noon", "en") == Refused("check", text="We are closed on Sundays.")
    assert closed.read("monday at noon", "en") == Found(at(11, 30, 12))


def test_dates_alone_and_times_alone() -> None:
    birthday = DateTimeReader(NOW, "date", earliest=date(1900, 1, 1), latest=NOW.date())
    assert birthday.read("march third nineteen eighty five", "en") == Found(date(1985, 3, 3))
    assert birthday.read("the 5th of may 1990", "en") == Found(date(1990, 5, 5))
    assert birthday.read("february second two thousand and nine", "en") == Found(date(2009, 2, 2))
    assert birthday.read("tomorrow", "en") == Refused("too_late", (NOW.date(),))
    alarm = DateTimeReader(NOW, "time")
    assert alarm.read("six thirty in the morning", "en") == Found(time(6, 30))
    assert alarm.read("four", "en") == Unclear((time(4), time(16)))
    assert alarm.read("midnight", "en") == Found(time(0))


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("no, at five", at(12, 1, 17)),
        ("no, wednesday", at(11, 25, 16, 30)),
        ("no, wednesday at ten", at(11, 25, 10)),
        ("the second", at(12, 2, 16, 30)),
        ("at quarter past ten", at(12, 1, 10, 15)),
    ],
)
def test_a_correction_keeps_what_it_does_not_change(said: str, when: datetime) -> None:
    assert OPEN.correct(at(12, 1, 16, 30), said, "en") == Found(when)


def test_the_other_half_of_the_day() -> None:
    assert ANY.correct(at(12, 1, 4), "in the afternoon", "en") == Found(at(12, 1, 16))


@pytest.mark.parametrize("said", ["what are your hours?", "I have two kids", "december thirty second", "", "whenever"])
def test_what_is_no_time_is_left_alone(said: str) -> None:
    assert OPEN.read(said, "en") == UNREAD


def test_a_model_writes_iso_or_words() -> None:
    assert OPEN.accept("2026-12-01T16:30") == Found(at(12, 1, 16, 30))
    assert OPEN.accept("2026-12-01T15:30+00:00") == Found(at(12, 1, 16, 30))
    assert OPEN.accept("tomorrow at ten") == Found(at(11, 25, 10))
    assert OPEN.accept("soon") == UNREAD
    assert OPEN.read("morgen um zehn", "de") == UNREAD


FUTURE = st.integers(0, 250).map(lambda days: NOW.date() + timedelta(days=days + 1))
CLOCK = st.builds(time, st.integers(0, 23), st.sampled_from([0, 5, 10, 15, 20, 30, 45, 59]))


def day_forms(day: date) -> list[str]:
    month, weekday, ordinal = MONTHS[day.month - 1], WEEKDAYS[day.weekday()], spoken_ordinal(day.day)
    away = (day - NOW.date()).days
    return [
        f"{month} {ordinal}",
        f"the {ordinal} of {month}",
        f"on {weekday} the {ordinal} of {month}",
        f"{month.title()} {day.day}, {day.year}",
        f"{day.day} {month[:3]} {day.year}",
        f"{weekday}, {month} {day.day}th",
        f"{month} {ordinal} twenty {spoken_number(day.year - 2000)}",
        day.isoformat(),
        f"in {away} days" if 1 < away < 100 else f"the {ordinal} of {month}",
    ]


def clock_forms(when: time) -> list[str]:
    hour, minute = when.hour % 12 or 12, when.minute
    half = "am" if when.hour < 12 else "pm"
    words = spoken_number(hour)
    forms = [f"{hour}:{minute:02} {half}", f"{hour}:{minute:02}{half[0]}.m."]
    if minute >= 10:
        forms += [f"{words} {spoken_number(minute)} {half}", f"{spoken_number(minute)} past {words} {half}"]
    elif minute:
        forms += [f"{words} oh {spoken_number(minute)} {half}"]
    else:
        forms += [f"{words} {half}", f"{hour} {half[0]} m", f"{words} o'clock {half}"]
    if minute == 30:
        forms += [f"half past {words} {half}"]
    if minute == 15:
        forms += [f"a quarter past {words} {half}"]
    if when.hour >= 13:
        forms += [f"{when.hour}:{minute:02}"]
    if 4 < when.hour < 12:
        forms += [f"{hour}:{minute:02} in the morning"]
    return forms


@given(FUTURE, CLOCK, st.data())
def test_a_time_is_read_however_it_is_said(day: date, when: time, data: st.DataObject) -> None:
    days, clock = data.draw(st.sampled_from(day_forms(day))), data.draw(st.sampled_from(clock_forms(when)))
    said = data.draw(st.sampled_from([f"{days} at {clock}", f"at {clock} {days}", f"{days}, {clock} please"]))
    assert ANY.read(said, "en") == Found(datetime.combine(day, when, BERLIN)), said


@given(FUTURE, CLOCK)
def test_what_the_agent_reads_back_is_the_time(day: date, when: time) -> None:
    assert ENGLISH is not None
    value = datetime.combine(day, when, BERLIN)
    said = spoken_when(value, ENGLISH, NOW.date())
    assert ANY.read(said, "en") == Found(value), said


@given(st.text(max_size=80), st.sampled_from(["datetime", "date", "time"]))
def test_no_words_break_the_reader(said: str, mode: str) -> None:
    reader = DateTimeReader(NOW, mode)  # type: ignore[arg-type]
    value = {"datetime": NOW, "date": NOW.date(), "time": time(10)}[mode]
    reader.read(said, "en")
    reader.read(said, "en", (value, value))
    reader.correct(value, said, "en")
    reader.accept(said)


@pytest.mark.parametrize(
    "said",
    [
        "first monday in december at 10 am",
        "the last friday of the month at noon",
        "between three and four on friday",
        "not on friday",
        "not on the third of december",
    ],
)
def test_what_is_no_day_by_itself_is_left_to_the_model(said: str) -> None:
    assert ANY.read(said, "en") == UNREAD


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ("tuesday at three pm, not monday", at(12, 1, 15)),
        ("I can't do friday, saturday at noon", at(11, 28, 12)),
        ("friday at noon, not at one", at(11, 27, 12)),
    ],
)
def test_what_is_denied_is_not_the_day(said: str, when: datetime) -> None:
    assert ANY.read(said, "en") == Found(when)
