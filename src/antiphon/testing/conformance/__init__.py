"""Conformance: whether a model keeps the contract of its kind, shows what it declares, and fails the way it should.

``await check_llm(make)``, ``check_stt(make, sample)``, ``check_tts(make)`` give a ``Report``; ``make`` makes the model anew.
With ``rig=`` the faults of the table are caused as well. Simulators, scripted models and live services are all fine.
"""

from __future__ import annotations

from antiphon.testing.conformance.fault_table import FAULTS, Fault
from antiphon.testing.conformance.llm_checks import check_llm
from antiphon.testing.conformance.report import Check, Report
from antiphon.testing.conformance.rig import Rig
from antiphon.testing.conformance.speech_sample import SpeechSample
from antiphon.testing.conformance.stt_checks import check_stt
from antiphon.testing.conformance.tts_checks import check_tts

__all__ = ["FAULTS", "Check", "Fault", "Report", "Rig", "SpeechSample", "check_llm", "check_stt", "check_tts"]
