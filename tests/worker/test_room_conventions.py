"""What LiveKit's own client library finds in a room with an agent: chat, captions, remote calls, streams, attributes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from livekit import rtc

from antiphon import Agent, AgentSession, RoomOptions, TextInputEvent, TextInputOptions
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.tts import ScriptedTTS
from antiphon.transport.livekit.limits import RoomError
from tests.worker.livekit_server import LiveKitProcess
from tests.worker.room_agent import a_room, agent_in
from tests.worker.room_caller import RoomCaller


def session(*answers: str) -> AgentSession[Any]:
    return AgentSession(stt=None, llm=ScriptedLLM(list(answers)), tts=ScriptedTTS(pcm=True), turn_detector=None)


def test_a_client_chats_reads_captions_calls_and_is_called_and_swaps_streams(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join()
        async with agent_in(livekit, caller.name) as ctx:
            told: list[tuple[str, Any]] = []
            for name in (
                "bytes_received",
                "text_received",
                "participant_attributes_changed",
                "participant_metadata_changed",
            ):
                ctx.room.on(name, lambda message, name=name: told.append((name, message)))
            ctx.room.listen("files")

            @ctx.room.register_rpc_method("order")
            async def order(asked: Any) -> str:
                return f"{asked.identity} gets {asked.payload}"

            await ctx.connect()
            live = session("A latte, of course.")
            await live.start(Agent(instructions="Coffee."), room=ctx.room)
            await caller.until(lambda: "listening" in caller.states)

            me = caller.room.local_participant
            await me.send_text("A latte", topic="lk.chat")
            await caller.until(lambda: "A latte, of course." in caller.caption_of("agent"))
            segment, (who, _, final) = next(iter(caller.captions.items()))
            assert who == "agent" and final and segment
            track = next(iter(caller.room.remote_participants["agent"].track_publications))
            assert caller.tracks_named == {track}, "lk.transcribed_track_id is the agent's own voice"
            users = [m for m in live.history.messages if m.role == "user"]
            assert [(m.text, m.speaker_id) for m in users] == [("A latte", "caller")]

            answer = await me.perform_rpc(destination_identity="agent", method="order", payload="a tea")
            assert answer == "caller gets a tea"
            me.register_rpc_method("where", _where)
            assert await ctx.room.perform_rpc("caller", "where", "now") == "table 4, now"

            writer = await me.stream_bytes("menu.txt", topic="files", mime_type="text/plain", attributes={"n": "1"})
            await writer.write(b"x" * 40_000)
            await writer.aclose()
            await ctx.room.send_bytes(b"y" * 40_000, name="bill.txt", topic="bills", to=["caller"])
            await caller.until(lambda: caller.files)
            assert caller.files == [("bill.txt", b"y" * 40_000)]
            await me.set_attributes({"mood": "good"})
            await me.set_metadata("vip")
            await _until(lambda: len(told) >= 4)
            got = dict(told)
            assert got["bytes_received"].data == b"x" * 40_000 and got["bytes_received"].attributes == {"n": "1"}
            assert got["participant_attributes_changed"].attributes == {"mood": "good"}
            assert ctx.room.participants["caller"].metadata == "vip"
            assert caller.room.remote_participants["agent"].attributes["lk.agent.state"] in (
                "listening",
                "speaking",
                "idle",
            )
            await caller.leave()
            assert await asyncio.wait_for(live.wait_closed(), 10) == "participant_disconnected"

    asyncio.run(call())


async def _where(call: rtc.RpcInvocationData) -> str:
    return f"table 4, {call.payload}"


async def _until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_what_is_more_than_a_room_carries_is_refused_with_a_reason(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join(microphone=False)
        async with agent_in(livekit, caller.name) as ctx:
            await ctx.connect()
            room = ctx.room
            packets: list[Any] = []
            room.on("data_received", packets.append)
            refused: list[Any] = []
            room.on("refused", refused.append)
            room.listen("lying")

            @room.register_rpc_method("much")
            def much(call: Any) -> str:
                return "z" * 20_000

            live = session("Yes.")
            await live.start(Agent(instructions="Coffee."), ctx)
            await caller.until(lambda: "listening" in caller.states)
            for work, why in (
                (room.publish_data(b"x" * 15_361), "15360"),
                (room.perform_rpc("caller", "order", "x" * 15_361), "15360"),
                (room.set_metadata("x" * 524_289), "524288"),
                (room.set_attributes({"a": "x" * 524_289}), "524288"),
                (room.set_attributes({"a\x00": "x"}), "control characters"),
                (room.send_text("x", topic="a\nb"), "control characters"),
                (room.send_text("x", to=["anna\x07"]), "control characters"),
                (room.send_text("x", topic="t" * 257), "256 bytes"),
            ):
                with pytest.raises(RoomError, match=why):
                    await asyncio.wait_for(work, 5)
            me = caller.room.local_participant
            with pytest.raises(rtc.RpcError):
                await me.perform_rpc(destination_identity="agent", method="much", payload="", response_timeout=5)
            with pytest.raises(rtc.RpcError):
                await me.perform_rpc(
                    destination_identity="agent", method="much", payload="x" * 20_000, response_timeout=5
                )
            writer = await me.stream_text(topic="lk.chat")
            await writer.write("x" * 70_000)
            await writer.aclose()
            broken = await me.stream_bytes("a", topic="lk.agent.pre-connect-audio-buffer", attributes={"trackId": "T"})
            await broken.write(b"123")
            await broken.aclose()
            lying = await me.stream_bytes("a", topic="lying", total_size=10)
            with suppress(Exception):
                await lying.write(b"x" * 5_000)
                await lying.aclose()
            await me.publish_data(b"fine", topic="t")
            await _until(lambda: packets)
            await me.send_text("Hello?", topic="lk.chat")
            await caller.until(lambda: "Yes." in caller.caption_of("agent"))
            assert [m.text for m in live.history.messages if m.role == "user"] == ["Hello?"]
            reasons = {each.topic: each.reason for each in refused}
            assert "longer than 65536 characters" in reasons["lk.chat"]
            assert "sampleRate and channels" in reasons["lk.agent.pre-connect-audio-buffer"]
            assert "total length" in reasons["lying"]
        await caller.leave()

    asyncio.run(call())


def test_writing_can_go_to_a_callback_or_nowhere(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller, other = RoomCaller(livekit.url, a_room()), RoomCaller(livekit.url, "", "other")
        other.name = caller.name
        await caller.join(microphone=False)
        async with agent_in(livekit, caller.name) as ctx:
            written: list[TextInputEvent] = []

            async def took(live: AgentSession[Any], event: TextInputEvent) -> None:
                written.append(event)

            live = session("Never said.")
            options = RoomOptions(text_input=TextInputOptions(topic="kitchen", callback=took), text_output=False)
            await live.start(Agent(instructions="Coffee."), ctx, room_options=options)
            await caller.until(lambda: "listening" in caller.states)
            await other.join(microphone=False)
            await other.room.local_participant.send_text("Listen to me!", topic="kitchen")
            await caller.room.local_participant.send_text("On the chat", topic="lk.chat")
            await caller.room.local_participant.send_text("A tea", topic="kitchen", attributes={"table": "4"})
            await _until(lambda: written)
            await asyncio.sleep(0.3)
            assert [(e.text, e.participant.identity, e.attributes["table"]) for e in written] == [
                ("A tea", "caller", "4")
            ]
            assert not live.history.messages and not caller.captions
        await caller.leave()
        await other.leave()

    asyncio.run(call())


def test_an_agent_without_a_voice_publishes_none_and_is_read(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller = RoomCaller(livekit.url, a_room())
        await caller.join(microphone=False)
        async with agent_in(livekit, caller.name) as ctx:
            await ctx.connect()
            voice = ScriptedTTS(pcm=True)
            live = AgentSession[Any](stt=None, llm=ScriptedLLM("A latte."), tts=voice, turn_detector=None)
            options = RoomOptions(audio_output=False, audio_input=False, delete_room_on_close=True)
            await live.start(Agent(instructions="Coffee."), ctx, room_options=options)
            await caller.until(lambda: "listening" in caller.states)
            await caller.room.local_participant.send_text("A latte", topic="lk.chat")
            await caller.until(lambda: "A latte." in caller.caption_of("agent"))
            assert not caller.room.remote_participants["agent"].track_publications
            assert caller.voiced() == 0
            await live.aclose()
        await caller.until(lambda: not caller.room.isconnected())

    asyncio.run(call())
