"""The plugin as a user meets it: their own test file, run by pytest."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import asyncio
import pytest
from antiphon import Agent
from antiphon.testing import Caller

class Hello(Agent):
    def __init__(self):
        super().__init__(instructions="Greet.")

CALLER = Caller().says("Hello there", at=1.0).waits_for_agent()
"""


@pytest.fixture
def tests(pytester: pytest.Pytester) -> pytest.Pytester:
    return pytester


def outcome(pytester: pytest.Pytester, body: str, **expected: int) -> str:
    pytester.makepyfile(HEAD + body)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**expected)
    return result.stdout.str()


def test_a_call_in_a_plain_test(tests: pytest.Pytester) -> None:
    outcome(
        tests,
        """
def test_hello(call):
    assert call(Hello, CALLER, llm="Hi.").heard == "Hi."
""",
        passed=1,
    )


def test_a_call_in_an_async_test_and_the_virtual_loop(tests: pytest.Pytester) -> None:
    outcome(
        tests,
        """
async def test_hello(call):
    loop = asyncio.get_running_loop()
    assert loop.virtual
    await asyncio.sleep(3600)
    assert (await call(Hello, CALLER, llm="Hi.")).heard == "Hi."

async def test_loop(virtual_loop):
    assert asyncio.get_running_loop() is virtual_loop
    await asyncio.sleep(3600)

@pytest.mark.call(seed=3)
async def test_marked():
    assert asyncio.get_running_loop().virtual

def test_sync_loop(virtual_loop):
    assert virtual_loop.run_until_complete(asyncio.sleep(3600, "slept")) == "slept"
""",
        passed=4,
    )


def test_seeds_make_a_test_each(tests: pytest.Pytester) -> None:
    outcome(
        tests,
        """
SEEN = []

@pytest.mark.call(seeds=5)
def test_each(call, call_seed):
    SEEN.append(call_seed)
    assert call(Hello, CALLER, llm="Hi.").heard == "Hi."

def test_all():
    assert SEEN == [0, 1, 2, 3, 4]
""",
        passed=6,
    )


def test_a_hanging_test_fails_with_a_reason(tests: pytest.Pytester) -> None:
    text = outcome(
        tests,
        """
async def test_hangs(virtual_loop):
    await asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="lonely")

@pytest.mark.call(limit=60)
async def test_long():
    await asyncio.sleep(100)
""",
        failed=2,
    )
    assert "lonely" in text
    assert "not over after 60 s" in text


def test_other_async_tests_are_left_alone(tests: pytest.Pytester) -> None:
    pytester = tests
    pytester.makepyfile("async def test_other():\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.parseoutcomes().get("passed", 0) == 0


def test_a_simulated_service_in_a_plain_test(tests: pytest.Pytester) -> None:
    outcome(
        tests,
        """
from antiphon.testing.simulators.speaking import spoken
from antiphon.wire.resolve import tts_from_string

def test_voice(simulator):
    url = simulator("cartesia", speed=0, ttfb=0)

    async def say():
        tts = tts_from_string("cartesia/sonic-3@" + url)
        stream = tts.stream()
        stream.push_text("Hi there.")
        stream.end_input()
        frames = [frame async for frame in stream]
        await tts.aclose()
        return b"".join(frame.data for frame in frames)

    assert spoken(asyncio.run(say()), "Hi there.") == "Hi there."
    assert len(simulator.of(url).clients) == 1
""",
        passed=1,
    )


PASS_RATES = """
SEEN = []

@pytest.mark.pass_rate(runs=4, at_least=0.5)
async def test_real_clock():
    SEEN.append(asyncio.get_running_loop())
    assert len(SEEN) % 2, "every other run"

@pytest.mark.call
@pytest.mark.pass_rate(runs=3)
async def test_virtual_clock():
    await asyncio.sleep(3600)

@pytest.mark.pass_rate(runs=4, at_least=0.75)
async def test_too_few():
    SEEN.append(1)
    assert len(SEEN) % 2, "every other run"
"""


def test_a_pass_rate_is_held_and_shown(tests: pytest.Pytester) -> None:
    text = outcome(tests, PASS_RATES, passed=2, failed=1)
    for line in ("2/4 ", "3/3 ", "2 of 4 runs passed (50%), at least 75% have to.", "every other run"):
        assert line in text, text
    assert "test_real_clock" in text.split("pass rates")[1]
