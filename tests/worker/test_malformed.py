"""What a server must not say: each message is skipped, refused with a reason, or costs the connection. None costs the worker."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import agent, models

from antiphon.testing import loop as virtual
from antiphon.worker import agent_protocol as proto
from antiphon.worker.livekit_engine import LiveKitEngine
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher
from tests.worker.hand import Hand, story


def offer(id: str = "AJ_1", room: str = "a-room", **fields: Any) -> bytes:
    message = agent.ServerMessage()
    message.availability.job.CopyFrom(agent.Job(id=id, room=models.Room(name=room), **fields))
    return bytes(message.SerializeToString())


async def still_works(server: Dispatcher, hand: Hand) -> None:
    server.offer("AJ_fine")
    count = 1
    while (await hand.hears("assigned", count)).offer.id != "AJ_fine":
        count += 1


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("room's name", {"room": "a\x00room"}),
        ("room's name", {"room": "a\u2028room"}),
        ("room's name", {"room": "\x1b[31mred"}),
        ("room's name", {"room": "ä" * 129}),
        ("no room", {"room": ""}),
        ("participant's name", {"participant": models.ParticipantInfo(identity="a\nb")}),
        ("agent's name", {"agent_name": "a\rb"}),
        ("dispatch's id", {"dispatch_id": "AD\n"}),
        ("metadata", {"metadata": "ä" * 300_000}),
        ("attributes", {"attributes": {"name": "v" * 70_000}}),
        ("attributes", {"attributes": {f"name{number}": "v" * 30 for number in range(2_500)}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_offer_that_is_too_much_is_refused_with_a_reason(
    reason: str, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.send(offer(**fields))
        answer = await server.hears("availability")
        assert not answer.available and answer.terminate and answer.job_id == "AJ_1"
        (warning,) = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
        assert reason in warning and warning.isprintable() and len(warning) < 200
        assert not [each for each in hand.log if each[0] in ("offered", "disconnected")]
        await still_works(server, hand)

    story(refuse)


@pytest.mark.parametrize(
    ("reason", "data"),
    [
        ("no message of the agent protocol", b"\xff\xff\xff\xff"),
        ("no message of the agent protocol", offer()[:-3]),
        ("no message of the agent protocol", b"\x0a\xff\xff\xff\xff\x0f"),  # a length beyond the end
        ("no message of the agent protocol", offer().replace(b"a-room", b"\xff\xfe\xfd\xfc\xfb\xfa")),  # no UTF-8
        ("without a proper id", offer(id="")),
        ("without a proper id", offer(id="AJ\n1")),
        ("without a proper id", offer(id="A" * 300)),
        ("more than 2097152 bytes", b"\x0a" * (proto.MOST_MESSAGE + 1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_is_none_costs_the_connection_with_a_reason(reason: str, data: bytes) -> None:
    async def broken(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        hand.jobs = ["AJ_0"]
        server.send(data)
        assert reason in await hand.hears("disconnected")
        await hand.hears("connected", 2)
        assert list((await server.hears("migrate_job")).job_ids) == ["AJ_0"]
        await still_works(server, hand)

    story(broken)


@pytest.mark.parametrize("what", ["text", "ping", "unknown", "again", "enum"])
def test_what_is_nothing_to_this_worker_is_passed_over(what: str) -> None:
    async def passed(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        socket = server.sockets[-1]
        message = agent.ServerMessage()
        if what == "text":
            await socket.send_str('{"availability": {"job": {"id": "AJ_1"}}}')
        elif what == "ping":
            message.pong.timestamp = -(2**63)
            await socket.send_bytes(message.SerializeToString())
        elif what == "unknown":
            await socket.send_bytes(b"\xfa\x3f\x05hello" + b"\xf8\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
        elif what == "again":
            message.register.worker_id = "AW_another"
            await socket.send_bytes(message.SerializeToString())
        else:  # numbers that no enumeration of this version has
            await socket.send_bytes(offer(type=99, state=agent.JobState(status=-7)))
        await still_works(server, hand)
        assert engine.worker_id == "AW_1" and not [each for each in hand.log if each[0] == "disconnected"]

    story(passed)


@pytest.mark.parametrize(
    "first",
    [b"", b"\xff\xff", "text", "", b"\x0a\x00", b"\x0a\x04\x0a\x02\n\n", offer()],
    ids=lambda data: repr(data)[:20],
)
def test_a_server_that_does_not_answer_the_registration_is_left(first: bytes | str) -> None:
    async def run() -> None:
        async with dispatcher() as server:
            server.silent = True
            hand = Hand()
            engine = LiveKitEngine(hand, url=server.url, key=KEY, secret=SECRET)
            task = asyncio.create_task(engine.run())
            await server.hears("register")
            await (server.sockets[-1].send_str if isinstance(first, str) else server.sockets[-1].send_bytes)(first)  # type: ignore[operator]
            assert await hand.hears("disconnected")
            server.silent = False
            assert await hand.hears("connected")
            assert [what for what, _ in hand.log if what == "offered"] == []
            await engine.aclose()
            await asyncio.wait_for(task, 5)

    virtual.run(run())


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_leave_an_engine_that_works(seed: int) -> None:
    """Valid messages with flipped bits, cut, and run together, in bursts."""
    chance = random.Random(seed)
    assigned, ended = agent.ServerMessage(), agent.ServerMessage()
    assigned.assignment.job.id, assigned.assignment.token = "AJ_1", "room-token"
    ended.termination.job_id = "AJ_1"
    valid = [offer(), offer("AJ_2", metadata="m" * 50), assigned.SerializeToString(), ended.SerializeToString()]

    def damaged() -> bytes:
        data = bytearray(chance.choice(valid))
        for _ in range(chance.randint(0, 4)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.3 else data) * chance.choice([1, 1, 2])

    async def storm(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        for _ in range(60):
            for _ in range(chance.randint(1, 8)):
                if server.sockets:
                    server.send(damaged())
            await asyncio.sleep(chance.choice([0.0, 1.0]))
        while not (server.sockets and engine.worker_id):
            await asyncio.sleep(0.1)
        await still_works(server, hand)

    story(storm, jitter=chance.random)


TEXT = st.text(max_size=40) | st.sampled_from(["", "AJ_1", "\x00", "a" * 300, "\u2028"])
MESSAGES = st.builds(
    lambda job, room, who, metadata, attributes, number: offer(
        job, room, participant=models.ParticipantInfo(identity=who), metadata=metadata, attributes=attributes, type=number
    ),
    TEXT, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3), st.integers(-(2**31), 2**31 - 1),
)  # fmt: skip


@settings(max_examples=400, deadline=2_000)
@given(MESSAGES, st.binary(max_size=12), st.integers(0, 400))
def test_whatever_is_read_is_within_the_limits(data: bytes, noise: bytes, at: int) -> None:
    for each in (data, data[:at] + noise + data[at:], data[:at] + noise, noise):
        with suppress(proto.ProtocolError):
            said = proto.read(each)
            if isinstance(said, proto.Offered):
                names = [said.offer.id, said.offer.room, said.offer.participant, said.offer.agent_name]
                assert all(len(name.encode()) <= proto.MOST_NAME and "\n" not in name for name in names)
                assert said.offer.id and said.offer.room


@settings(max_examples=100, deadline=2_000)
@given(st.text(max_size=30) | st.just("\ud800"))
def test_whatever_an_error_says_can_be_told(error: str) -> None:
    told = agent.WorkerMessage.FromString(proto.job_status("AJ_1", "failed", error * 100)).update_job
    assert len(told.error) <= 1024
