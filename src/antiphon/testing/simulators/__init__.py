"""Simulators of speech and language services: they behave as the services do, refuse what those refuse, and fail on demand.

Run one with ``python -m antiphon.testing.simulators NAME --port PORT``; in a test, ``serving`` opens one on loopback and
``connected`` joins one to a model in memory, on the virtual clock too.
"""

from antiphon.testing.simulators.base import Peer, Refusal, Request, Simulator
from antiphon.testing.simulators.faults import Fault, FaultScript
from antiphon.testing.simulators.memory import MemoryConnector
from antiphon.testing.simulators.server import serving

__all__ = ["Fault", "FaultScript", "MemoryConnector", "Peer", "Refusal", "Request", "Simulator", "serving"]
