"""``room=`` and ``room_options=`` of a session's start: what they may be, and what is refused with a word why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import (
    Agent,
    AgentSession,
    AudioInputOptions,
    JobContext,
    RoomOptions,
    TextInputOptions,
    WorkerPermissions,
)
from antiphon.audio.seam import LegSpec
from antiphon.errors import ConfigurationError, NotSupportedError
from antiphon.testing.llm import ScriptedLLM
from antiphon.worker import agent_protocol
from tests.worker.livekit_server import LiveKitProcess
from tests.worker.quiet import Quiet
from tests.worker.room_agent import a_room, agent_in
from tests.worker.room_caller import RoomCaller


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"video_input": True}, "Video"),
        ({"participant_kinds": ["phone"]}, "'phone'"),
        ({"participant_kinds": [3]}, "'3'"),
        ({"listen_to": "some"}, "'some'"),
        ({"listen_to": "all", "participant_identity": "anna"}, "Leave one of them out"),
        ({"resume_window": -1}, "resume_window"),
        ({"text_input": TextInputOptions(topic="")}, "topic"),
        ({"audio_input": AudioInputOptions(sample_rate=12_345)}, "12345 Hz"),
        ({"audio_input": AudioInputOptions(frame_size_ms=7)}, "7 ms"),
        ({"audio_input": AudioInputOptions(pre_connect_audio_timeout=0)}, "pre_connect_audio=False"),
        (
            {"audio_input": AudioInputOptions(noise_cancellation=Quiet, noise_cancellation_options={"f": print})},
            "plain",
        ),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises((ConfigurationError, NotSupportedError)) as refused:
        RoomOptions(**given)
    assert why in str(refused.value)


def test_options_say_what_the_connection_does() -> None:
    use = RoomOptions().use()
    assert (use.kinds, use.hears, use.speaks, use.pre_connect) == (("standard", "sip", "connector"), True, True, 3.0)
    use = RoomOptions(audio_input=AudioInputOptions(noise_cancellation=Quiet), observers=["boss", "qa-*"]).use()
    assert use.noise is not None and use.noise.path == "tests.worker.quiet:Quiet"
    assert [use.wants(who, kind) for who, kind in (("anna", "sip"), ("qa-7", "sip"), ("b", "agent"))] == [
        True,
        False,
        False,
    ]
    assert RoomOptions(participant_identity="b").use().wants("b", "agent")
    assert RoomOptions(close_on_disconnect=False).party_grace > 3600 > RoomOptions().party_grace > 0


def test_a_session_takes_the_room_of_its_job_alone() -> None:
    async def start(*given: Any, **options: Any) -> None:
        session = AgentSession[None](llm=ScriptedLLM(["x"]))
        await session.start(Agent(instructions="x"), *given, **options)
        await session.aclose()

    for given, options, why in (
        ((), {"room": object()}, "takes ctx.room"),
        ((), {"room_options": RoomOptions()}, "Pass ctx"),
        ((LegSpec("console"),), {"room_options": RoomOptions()}, "LegSpec"),
    ):
        with pytest.raises(NotSupportedError, match=why):
            asyncio.run(start(*given, **options))
    asyncio.run(start(JobContext(), room_options=RoomOptions()))  # the same program in a terminal


def test_a_room_takes_its_own_kind_of_options_and_its_own_context(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        async with agent_in(livekit, a_room()) as ctx:
            session = AgentSession[None](llm=ScriptedLLM(["x"]))
            with pytest.raises(ConfigurationError, match="takes RoomOptions, not dict"):
                await session.start(Agent(instructions="x"), ctx, room_options={"audio_input": False})
            with pytest.raises(ConfigurationError, match="another job"):
                await session.start(Agent(instructions="x"), JobContext(), room=ctx.room)

    asyncio.run(call())


def test_an_agent_may_be_hidden_and_only_listen(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join(microphone=False)
        rights = {"hidden": True, "can_publish": False, "can_publish_data": False}
        async with agent_in(livekit, caller.name, **rights) as ctx:
            await ctx.connect()
            session, errors = AgentSession[None](stt=None, llm=ScriptedLLM(["x"]), tts=None), list[str]()
            session.on("error", lambda event: errors.append(event.error))
            options = RoomOptions(audio_output=False, text_output=False)
            await session.start(Agent(instructions="x"), ctx, room_options=options)
            await asyncio.sleep(0.5)
            assert ctx.room.me.permissions.hidden and ctx.room.linked == "caller" and caller.agents == []
            assert not session.close_reason and "canPublishData" in errors[0]
        await caller.leave()

    asyncio.run(call())


def test_a_worker_asks_for_the_rights_it_was_given() -> None:
    from livekit.protocol import agent

    message = agent.WorkerMessage()
    permissions = WorkerPermissions(can_publish=False, hidden=True)
    message.ParseFromString(agent_protocol.register(agent_name="a", version="1", instance="i", permissions=permissions))
    asked = message.register.allowed_permissions
    assert (asked.can_publish, asked.hidden, asked.can_subscribe, asked.agent) == (False, True, True, True)
