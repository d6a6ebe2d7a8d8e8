"""The pytest plugin: the ``call``, ``simulator`` and ``virtual_loop`` fixtures, async tests on the virtual clock, and pass rates.

Installed with Antiphon. It touches only tests that ask for it, by a fixture or by ``@pytest.mark.call`` or ``@pytest.mark.pass_rate``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from antiphon.testing.loop import VirtualLoop
    from antiphon.testing.simulators.threaded import ThreadedSimulators

_FIXTURES = ("call", "virtual_loop")
_RATES = pytest.StashKey[list[str]]()
"""A line for each test with a pass rate, for the end of the run."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "call(seed=0, seeds=0, limit=7200): run on a virtual clock; with seeds=N the test runs once for each of N seeds",
    )
    config.addinivalue_line(
        "markers",
        "pass_rate(runs=10, at_least=1.0, parallel=4, timeout=600): run an async test so often; this share of the runs has to pass",
    )
    config.stash[_RATES] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("call")
    seeds = marker.kwargs.get("seeds", 0) if marker is not None else 0
    if seeds:
        if "call_seed" not in metafunc.fixturenames:
            metafunc.fixturenames.append("call_seed")
        metafunc.parametrize("call_seed", range(seeds), ids=[f"seed{n}" for n in range(seeds)])


@pytest.fixture
def call_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test: ``@pytest.mark.call(seed=...)``, or one of ``seeds=N``."""
    marker = request.node.get_closest_marker("call")
    return int(marker.kwargs.get("seed", 0)) if marker is not None else 0


@pytest.fixture
def call(call_seed: int) -> Any:
    """Simulate a call: ``result = call(MyAgent, Caller()..., llm=...)``; in an async test ``result = await call(...)``.

    Arguments as for ``antiphon.testing.Simulation``; returns a ``CallResult``.
    """
    from antiphon.testing.simulation import Simulation, simulate

    def make(agent: Any, caller: Any = None, **options: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return simulate(agent, caller, **{"seed": call_seed, **options})
        return Simulation(agent, caller, **options).run()

    return make


@pytest.fixture
def simulator() -> Iterator[ThreadedSimulators]:
    """Simulated services on loopback, by name: ``url = simulator("deepgram", recordings=[...])`` is the base URL of one
    (``"deepgram/nova-3@" + url`` is a model string); ``simulator.of(url)`` is the simulator itself, which knows its clients.

    They run on a thread of their own until the test ends. Options: as for the simulator's class (``faults=`` and others).
    """
    from antiphon.testing.simulators.threaded import ThreadedSimulators as Simulators

    with Simulators() as simulators:
        yield simulators


@pytest.fixture
def virtual_loop(call_seed: int) -> Iterator[VirtualLoop]:
    """A loop on virtual time; an async test that asks for it runs on it."""
    from antiphon.testing.loop import virtual_loop as opened

    with opened(call_seed) as loop:
        yield loop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    marker = pyfuncitem.get_closest_marker("call")
    repeated = pyfuncitem.get_closest_marker("pass_rate")
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    if marker is None and not any(name in pyfuncitem.fixturenames for name in _FIXTURES):
        if repeated is None:
            return None
        asyncio.run(_repeated(pyfuncitem, repeated, arguments))
        return True
    from antiphon.testing.simulation import fixed_ids

    drawn: Any = pyfuncitem.funcargs.get("call_seed", marker.kwargs.get("seed", 0) if marker else 0)
    seed = int(drawn)
    limit = float(marker.kwargs.get("limit", 7_200.0)) if marker is not None else 7_200.0
    with fixed_ids(seed), _loop_of(pyfuncitem, seed, limit) as loop:
        once = (
            pyfuncitem.obj(**arguments)
            if repeated is None
            else _repeated(pyfuncitem, repeated, arguments, timeout=limit)
        )
        loop.run_until_complete(once)
    return True


async def _repeated(item: pytest.Function, marker: pytest.Mark, arguments: dict[str, Any], **options: float) -> None:
    """The test as often as its marker says; how often it passed is shown at the end of the run. ``options``: of ``repeat``,
    where the marker does not say."""
    from antiphon.testing.repeated import measured

    async def scenario() -> None:
        await item.obj(**arguments)

    rate = await measured(scenario=scenario, **{"runs": 10, **options, **marker.kwargs})
    item.config.stash[_RATES].append(f"{rate.passed}/{rate.runs} {item.nodeid}")
    item.add_report_section("call", "pass rate", str(rate))
    if not rate.enough:
        pytest.fail(str(rate), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rates = terminalreporter.config.stash.get(_RATES, [])
    if rates:
        terminalreporter.section("pass rates")
        for line in rates:
            terminalreporter.write_line(line)


@contextmanager
def _loop_of(item: pytest.Function, seed: int, limit: float) -> Iterator[VirtualLoop]:
    from antiphon.testing.loop import virtual_loop as opened

    given: Any = item.funcargs.get("virtual_loop")
    if given is not None:
        yield given
        return
    with opened(seed, limit=limit) as loop:
        yield loop
