"""The numbers of receiver reports, against the RFC's own definitions."""

from __future__ import annotations

import random

import pytest

from antiphon.transport.rtp.reception import Reception
from antiphon.transport.rtp.rtcp import SenderReport

RATE = 48_000


def test_the_fraction_lost_is_of_the_time_since_the_last_report() -> None:
    reception = Reception(5, RATE)
    for number in range(100):
        if number % 4:
            reception.add(0.02 * number, number, 960 * number)
    first = reception.block(2.0)
    assert first.fraction_lost == pytest.approx(64, abs=3)
    assert (first.lost, first.highest) == (24, 99)
    for number in range(100, 200):
        reception.add(0.02 * number, number, 960 * number)
    second = reception.block(4.0)
    assert (second.fraction_lost, second.lost) == (0, 24)


def test_duplicates_make_the_loss_negative_and_the_fraction_nought() -> None:
    reception = Reception(5, RATE)
    for number in (0, 1, 1, 1):
        reception.add(0.02, number, 960 * number)
    block = reception.block(1.0)
    assert (block.lost, block.fraction_lost) == (-2, 0)


def test_the_sequence_number_is_extended_over_its_wraps() -> None:
    reception = Reception(5, RATE)
    for number in range(65_000, 65_000 + 140_000, 50):
        reception.add(0.02 * number, number & 0xFFFF, 960 * number & 0xFFFFFFFF)
    assert reception.block(1.0).highest == 65_000 + 139_950


def test_jitter_is_the_rfcs_running_mean_over_a_wrap_of_the_clock() -> None:
    reception, chance, wanted, before = Reception(5, RATE), random.Random(3), 0.0, 0.0
    for number in range(400):
        late = chance.random() * 0.03
        reception.add(100.0 + 0.02 * number + late, number, (2**32 - 96_000 + 960 * number) & 0xFFFFFFFF)
        if number:
            wanted += (abs(late - before) - wanted) / 16
        before = late
    assert reception.jitter == pytest.approx(wanted, rel=1e-6)
    assert reception.block(1.0).jitter == round(wanted * RATE)


def test_the_last_sender_report_is_answered_with_its_age() -> None:
    reception = Reception(5, RATE)
    assert (reception.block(1.0).last_sr, reception.block(1.0).delay) == (0, 0)
    reception.sender_report(10.0, SenderReport(5, 0x1122334455667788, 0, 0, 0))
    block = reception.block(10.5)
    assert (block.last_sr, block.delay) == (0x33445566, 32768)
