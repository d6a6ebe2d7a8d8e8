"""Who an agent talks with in a room: those who drop out and come back, several at once, kinds, those who look on, rights."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from livekit import api

from antiphon import Agent, AgentSession, RoomOptions
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.tts import ScriptedTTS
from tests.worker.livekit_server import KEY, SECRET, LiveKitProcess
from tests.worker.room_agent import Ears, a_room, agent_in, token
from tests.worker.room_caller import RoomCaller

CALLERS = Path(__file__).parents[2] / "examples" / "coffee" / "callers"


def session(*answers: str, stt: Any = None) -> AgentSession[Any]:
    return AgentSession(
        stt=stt, llm=ScriptedLLM(list(answers)), tts=ScriptedTTS(pcm=True), turn_detector=None, user_away_timeout=0.0
    )


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_who_drops_out_and_comes_back_goes_on_where_the_call_was(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        caller, bystander = RoomCaller(livekit.url, room), RoomCaller(livekit.url, room, "bystander")
        await caller.join()
        async with agent_in(livekit, room) as ctx:
            gone: list[Any] = []
            ctx.room.on("participant_disconnected", gone.append)
            live = session("One.", "Two.", "Three.")
            await live.start(Agent(instructions="Count."), ctx)
            await caller.until(lambda: "listening" in caller.states)
            await bystander.join()
            await caller.room.local_participant.send_text("First", topic="lk.chat")
            await caller.until(lambda: "One." in caller.caption_of("agent"))

            again = RoomCaller(livekit.url, room)  # another tab of the same person: the server drops the first
            await again.join()
            await until(lambda: gone and ctx.room.linked == "caller")
            assert [each.identity for each in gone] == ["caller"] and gone[0].reason != "client_initiated"
            await again.room.local_participant.send_text("Second", topic="lk.chat")
            await again.until(lambda: "Two." in again.caption_of("agent"))
            texts = [(m.role, m.text) for m in live.history.messages]
            assert texts == [("user", "First"), ("assistant", "One."), ("user", "Second"), ("assistant", "Two.")]

            await again.leave()
            assert await asyncio.wait_for(live.wait_closed(), 10) == "participant_disconnected"
            assert gone[-1].reason == "client_initiated" and ctx.room.linked != "bystander"
        await bystander.leave()
        await caller.leave()

    asyncio.run(call())


JOIN = """
import asyncio, sys
from livekit import rtc
async def main():
    room = rtc.Room()
    await room.connect(sys.argv[1], sys.argv[2])
    print("joined", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_client_that_dies_is_waited_for_and_its_place_is_a_newcomers(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        bystander, newcomer = RoomCaller(livekit.url, room, "bystander"), RoomCaller(livekit.url, room, "tab-2")
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", JOIN, livekit.url, token(room, "tab-1"), stdout=subprocess.PIPE
        )
        assert client.stdout is not None and await client.stdout.readline() == b"joined\n"
        async with agent_in(livekit, room) as ctx:
            gone: list[Any] = []
            ctx.room.on("participant_disconnected", gone.append)
            live = session("One.")
            await live.start(Agent(instructions="Count."), ctx)
            await until(lambda: ctx.room.linked == "tab-1")
            await bystander.join(microphone=False)
            client.kill()
            await until(lambda: gone, 45)
            assert gone[0].reason != "client_initiated"
            await asyncio.sleep(0.3)
            assert ctx.room.linked == "" and not live.close_reason, "who only looks on is not taken for the caller"
            await newcomer.join(microphone=False)
            await until(lambda: ctx.room.linked == "tab-2")
            await newcomer.room.local_participant.send_text("Here again", topic="lk.chat")
            await newcomer.until(lambda: "One." in newcomer.caption_of("agent"))
        await bystander.leave()
        await newcomer.leave()
        await client.wait()

    asyncio.run(call())


def test_a_call_may_outlast_its_caller_and_serves_the_next(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        first, second = RoomCaller(livekit.url, room, "first"), RoomCaller(livekit.url, room, "second")
        await first.join(microphone=False)
        async with agent_in(livekit, room) as ctx:
            live = session("One.", "Two.")
            await live.start(Agent(instructions="Count."), ctx, room_options=RoomOptions(close_on_disconnect=False))
            await until(lambda: ctx.room.linked == "first")
            await first.room.local_participant.send_text("Hello", topic="lk.chat")
            await first.until(lambda: "One." in first.caption_of("agent"))
            await first.leave()
            await until(lambda: ctx.room.linked == "")
            await second.join(microphone=False)
            await until(lambda: ctx.room.linked == "second")
            await second.room.local_participant.send_text("Hello", topic="lk.chat")
            await second.until(lambda: "Two." in second.caption_of("agent"))
            assert not live.close_reason
        await second.leave()

    asyncio.run(call())


def test_everybody_is_heard_and_words_have_their_speaker(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        anna, ben = RoomCaller(livekit.url, room, "anna"), RoomCaller(livekit.url, room, "ben")
        await anna.join()
        await ben.join()
        async with agent_in(livekit, room) as ctx:
            ears, said = Ears(), []
            live = session("I see.", stt=ears)
            live.on("user_input_transcribed", said.append)
            await live.start(Agent(instructions="Listen."), ctx, room_options=RoomOptions(listen_to="all"))
            await until(lambda: set(ctx.room.heard) == {"anna", "ben"})
            await asyncio.gather(anna.say(CALLERS / "1-heart.wav", then=3.0), ben.hush(6.0))
            spoken_by_anna = len(said)
            await asyncio.gather(ben.say(CALLERS / "1-heart.wav", then=3.0), anna.hush(6.0))
            speakers = [event.speaker_id for event in said]
            assert set(speakers[:spoken_by_anna]) == {"anna"}, speakers
            assert set(speakers[spoken_by_anna:]) == {"ben"}, speakers
            who = {m.speaker_id for m in live.history.messages if m.role == "user"}
            assert who == {"anna", "ben"}
            await ben.until(lambda: "heard" in ben.caption_of("anna") and "heard" in ben.caption_of("ben"))

            await anna.leave()
            await until(lambda: ctx.room.linked == "ben")
            assert not live.close_reason, "others are there"
            await ben.leave()
            assert await asyncio.wait_for(live.wait_closed(), 10) == "participant_disconnected"

    asyncio.run(call())


def test_those_who_look_on_are_no_callers_and_get_notes(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        boss, caller = RoomCaller(livekit.url, room, "supervisor-1"), RoomCaller(livekit.url, room)
        await boss.join()
        async with agent_in(livekit, room) as ctx:
            live = session("A tea.")
            options = RoomOptions(observers=["supervisor-*"], observer_events=True)
            await live.start(Agent(instructions="Coffee."), ctx, room_options=options)
            await asyncio.sleep(0.3)
            assert ctx.room.linked == ""
            await caller.join()
            await until(lambda: ctx.room.linked == "caller")
            assert [each.identity for each in ctx.room.observers] == ["supervisor-1"]
            await boss.room.local_participant.send_text("I am no caller", topic="lk.chat")
            await caller.room.local_participant.send_text("A tea", topic="lk.chat")
            await boss.until(lambda: "A tea." in boss.caption_of("agent"))
            await ctx.room.send_note("The caller is a regular.")
            await boss.until(lambda: any("regular" in note for note in boss.notes))
            events = [json.loads(note) for note in boss.notes if note.startswith("{")]
            assert {"event": "message", "role": "user", "text": "A tea", "speaker_id": "caller"}.items() <= next(
                event for event in events if event["event"] == "message"
            ).items()
            assert caller.notes == [] and [m.text for m in live.history.messages] == ["A tea", "A tea."]
            await boss.leave()
            await asyncio.sleep(0.2)
            assert not live.close_reason
        await caller.leave()

    asyncio.run(call())


def test_kinds_that_are_not_wanted_are_not_taken(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        other_agent = RoomCaller(livekit.url, room, "another-agent", kind="agent")
        browser, phone = RoomCaller(livekit.url, room, "browser"), RoomCaller(livekit.url, room, "phone", kind="sip")
        await other_agent.join()
        await browser.join()
        async with agent_in(livekit, room) as ctx:
            await until(lambda: ctx.room.linked == "browser")
            live = session("Hello.")
            await live.start(Agent(instructions="x"), ctx, room_options=RoomOptions(participant_kinds=["sip"]))
            assert ctx.room.linked == "", "the options came before anything was heard"
            waiting = asyncio.create_task(ctx.wait_for_participant(kinds=["sip"]))
            await phone.join(microphone=False)
            assert (await asyncio.wait_for(waiting, 5)).identity == "phone"
            await until(lambda: ctx.room.linked == "phone")
            assert (await ctx.wait_for_participant()).identity in ("browser", "phone")
            ctx.room.link("another-agent")
            await until(lambda: ctx.room.linked == "another-agent")
        for each in (other_agent, browser, phone):
            await each.leave()

    asyncio.run(call())


@pytest.mark.parametrize(
    ("grants", "why"),
    [
        ({"can_publish": False}, "canPublish: it cannot speak"),
        ({"can_subscribe": False}, "canSubscribe: it cannot hear"),
    ],
)
def test_a_token_without_the_rights_ends_the_call_with_the_reason(
    livekit: LiveKitProcess, grants: dict[str, bool], why: str
) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join(microphone=False)
        async with agent_in(livekit, caller.name, **grants) as ctx:
            live, errors = session("Hello."), []
            live.on("error", lambda event: errors.append(event.error))
            await live.start(Agent(instructions="x"), ctx)
            assert await asyncio.wait_for(live.wait_closed(), 10) == "error"
            assert any(why in error and "RoomOptions(" in error for error in errors), errors
        await caller.leave()

    asyncio.run(call())


def test_rights_that_are_taken_away_are_told(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join(microphone=False)
        async with agent_in(livekit, caller.name) as ctx:
            live, errors = session("Hello."), []
            live.on("error", lambda event: errors.append(event.error))
            await live.start(Agent(instructions="x"), ctx)
            await caller.until(lambda: "listening" in caller.states)
            assert ctx.room.me.permissions.publish_data
            async with api.LiveKitAPI(livekit.url, KEY, SECRET) as server:
                rights = api.ParticipantPermission(can_publish=True, can_subscribe=True, can_publish_data=False)
                request = api.UpdateParticipantRequest(room=caller.name, identity="agent", permission=rights)
                await server.room.update_participant(request)
            await until(lambda: not ctx.room.me.permissions.publish_data)
            with pytest.raises(Exception, match="canPublishData"):
                await ctx.room.send_text("x")
            await until(lambda: any("canPublishData" in error for error in errors))
            assert not live.close_reason
        await caller.leave()

    asyncio.run(call())
