"""Resumption: what a process needs of a conversation that another one began and could not end."""

from __future__ import annotations

import msgspec

from antiphon.kernel.facts import AnyFact


class Resumption(msgspec.Struct, frozen=True):
    """``kernel``: its written state (``Kernel.load``). ``exact``: all that happened was replayed; else only the conversation is known.
    ``facts``: all so far, ``unwritten`` included: those that the log does not hold yet. ``age``: seconds since the session
    began, by which its clock goes on. ``attach``: its line lives in the plane; else one is opened anew."""

    kernel: bytes
    exact: bool
    facts: tuple[AnyFact, ...]
    unwritten: tuple[AnyFact, ...]
    age: float
    attach: bool
