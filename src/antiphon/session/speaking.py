"""Speaking: the shell's part between the kernel's wish for a reply and the plane's sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec

from antiphon.agents.agent import ModelSettings, overrides
from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError, ToolError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import ledger
from antiphon.models.llm import ToolCallDelta
from antiphon.session.clips import Clip
from antiphon.session.directory import SaySource
from antiphon.session.dynamic_instructions import DynamicInstructions
from antiphon.session.lanes import Inlet, Lane, across
from antiphon.session.reply_pipe import ReplyPipe, Thought
from antiphon.tools import stand_ins

if TYPE_CHECKING:
    from antiphon.session.bindings import Bound
    from antiphon.session.shell import Shell

logger = logging.getLogger("antiphon")


class Speaking:
    """Owns the running pipes, by op, with the models and tools that each began with, and the ladder's ``clips`` and ``texts``. It is the pipes' host: what they make
    goes to the kernel and the plane."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.lane: Lane = shell.lane
        self.acked = asyncio.Event()
        self.pipes: dict[ev.Op, ReplyPipe] = {}
        self.bound: dict[ev.Op, Bound] = {}
        self.clips: dict[str, Clip] = {}
        self.texts: dict[str, str] = {}
        self.dynamic = DynamicInstructions(shell)

    def post(self, event: ev.Event) -> None:
        self._shell.post(event)

    def now(self) -> float:
        return self._shell.now()

    def follow(self, event: ev.Event) -> None:
        """What the application sees of a reply while it is made, and pipes that have come to their end."""
        shell = self._shell
        if isinstance(event, ev.Segment):
            pipe = self.pipes.get(event.op)
            if pipe is not None:
                shell.tell(shell.side.segment, pipe.speech, event.index, event.text)
        elif isinstance(event, ev.Synthesised):
            pipe = self.pipes.get(event.op)
            if pipe is not None and event.done:
                shell.tell(shell.side.synthesised, pipe.speech, event.index)
        elif isinstance(event, ev.AudioDone | ev.ReplyFailed):
            self.pipes.pop(event.op, None)
            self.bound.pop(event.op, None)
        elif isinstance(event, ev.Acked):
            self.acked.set()
            shell.tell(shell.side.heard_so_far, event.speech, self._heard(event.speech), event.now)

    def _heard(self, speech: str) -> str:
        one = self._shell.kernel.state.speech.speeches.get(speech)
        return "" if one is None else ledger.heard_text(one.segments, one.position)[0]

    def close(self) -> list[asyncio.Task[None]]:
        """Cancel all pipes; returns the tasks that are ending."""
        tasks = [task for pipe in self.pipes.values() if (task := pipe.cancel()) is not None]
        self.pipes.clear()
        return tasks

    def start_reply(self, effect: fx.StartReply) -> None:
        bound = self._shell.bound
        request = self._shell.directory.request(effect.speech)
        tools = self._shell.directory.tools_for(bound, request) if effect.tools else []
        stand_ins.offered(self._shell.session.scope, bound.agent, (tool.name for tool in bound.tools))
        context = self._shell.directory.prompt(bound, self._shell.kernel.state, effect.turn_text, request)
        settings = ModelSettings(tool_choice=request.tool_choice if effect.tools else "none")
        agent, llm = bound.agent, bound.llm

        def thoughts() -> AsyncIterator[Thought]:
            if llm is None and not overrides(agent, "llm_node"):
                raise ModelError(
                    "This session has no language model.", hint="Pass llm= to AgentSession.", retryable=False
                )
            on_core = not overrides(agent, "llm_node") and llm is not None and llm.on_core
            home = self._shell.lane if on_core else self._shell.user_lane
            node = across(lambda: agent.llm_node(context, tools, settings), home=home)
            return node if agent._instructions.dynamic is None else self.dynamic.before(node, agent, context)

        self._start_pipe(effect.op, effect.speech, thoughts, hold=effect.speculative, synthesise=effect.synthesise)

    def start_say(self, effect: fx.StartSay) -> None:
        source = SaySource(effect.text) if effect.text else self._shell.directory.sources[effect.speech]
        self._shell.bridge.renew(effect.speech)  # an earlier attempt may have left some of it there

        async def thoughts() -> AsyncIterator[Thought]:
            if isinstance(source.text, str):
                if source.text:
                    yield source.text
                return
            async for piece in across(source.open_text, home=self._shell.user_lane):
                yield piece

        audio = None if source.audio is None else across(source.open_audio, home=self._shell.user_lane)
        self._start_pipe(effect.op, effect.speech, thoughts, ready_audio=audio)

    def _start_pipe(
        self,
        op: ev.Op,
        speech: str,
        thoughts: Callable[[], AsyncIterator[Thought]],
        *,
        hold: bool = False,
        synthesise: bool = True,
        ready_audio: AsyncIterator[AudioFrame] | None = None,
    ) -> None:
        agent, tts = self._shell.bound.agent, self._shell.bound.tts
        sound = self._shell.services.sounds and (tts is not None or overrides(agent, "tts_node"))
        voice_home = (
            self._shell.lane
            if tts is not None and tts.on_core and not overrides(agent, "tts_node")
            else self._shell.user_lane
        )

        def voice(text: Inlet[str]) -> AsyncIterator[AudioFrame]:
            return across(lambda: agent.tts_node(text, ModelSettings()), home=voice_home)

        def transcribe(text: str) -> AsyncIterator[str]:
            async def one() -> AsyncIterator[str]:
                yield text

            return across(lambda: agent.transcription_node(one(), ModelSettings()), home=self._shell.user_lane)

        pipe = ReplyPipe(
            self,
            op,
            speech,
            thoughts=thoughts,
            transcribe=transcribe if overrides(agent, "transcription_node") else None,
            voice=voice if sound else None,
            voice_lane=voice_home,
            transform=self._shell.session.transform,
            hold=hold,
            synthesise=synthesise,
            ready_audio=ready_audio,
        )
        self.pipes[op], self.bound[op] = pipe, self._shell.bound
        self._shell.listening.prefill.stop()
        pipe.start()

    def play(self, effect: fx.Play) -> None:
        self._shell.tell(self._shell.side.on_air, effect.speech)
        self._shell.bridge.play(effect)

    def failover(self, effect: fx.Failover) -> None:
        """The next attempt follows; models with others behind them choose another for it."""
        logger.info("the %s is too slow or failed: trying again", effect.stage)

    def adopt(self, effect: fx.AdoptReply) -> None:
        pipe = self.pipes.get(effect.op)
        if pipe is not None:
            pipe.adopt()

    def cancel(self, effect: fx.Cancel) -> None:
        pipe = self.pipes.pop(effect.op, None)
        self.bound.pop(effect.op, None)
        if pipe is not None:
            task = pipe.cancel()
            if task is not None:
                self._shell.keep(task)
            self._shell.bridge.forget(pipe.speech)
        self._shell.user_code.cancel(effect.op)

    def play_canned(self, effect: fx.PlayCanned) -> None:
        """Play a clip and say what it says; where it has not been rendered, have the voice say its text now."""
        shell, op, speech = self._shell, effect.op, effect.speech
        clip, text = self.clips.get(effect.key), self.texts.get(effect.key, "")
        if not shell.services.sounds:
            self.post(ev.Segment(op=op, index=0, text=text))
            self.post(ev.AudioDone(op=op, samples=0, text_only=True))
        elif clip is not None:
            shell.bridge.play_clip(speech, effect.key)
            self.post(ev.Segment(op=op, index=0, text=clip.text))
            self.post(ev.Synthesised(op=op, index=0, start=0, samples=clip.samples, done=True, words=clip.words))
            self.post(ev.AudioDone(op=op, samples=clip.samples))
        elif text and shell.bound.tts is not None:
            self.start_say(fx.StartSay(op=op, speech=speech, text=text))
            shell.bridge.play(fx.Play(speech=speech, interruptible=False))
        else:
            self.post(ev.PlaySettled(speech=speech, position=0, quality="estimated", reason="refused"))

    # --- PipeHost ------------------------------------------------------------------------------------------------

    def push_audio(self, speech: str, frame: AudioFrame | None) -> None:
        self._shell.bridge.push(speech, frame)

    def heard_samples(self, speech: str) -> int:
        return self._shell.bridge.heard.get(speech, 0)

    def describe_call(self, op: ev.Op, call: ToolCallDelta) -> ev.ToolCall:
        """A model's call with what the tool's options say of it, and what is wrong with it."""
        extra = msgspec.json.encode(call.extra).decode() if call.extra else ""
        bound = self.bound.get(op, self._shell.bound)
        tool = bound.tool(call.name)
        if tool is None:
            names = ", ".join(t.name for t in bound.tools) or "none"
            problem = f"There is no tool named {call.name!r}. The tools are: {names}."
            return ev.ToolCall(
                op=op, call_id=call.call_id, name=call.name, arguments=call.arguments, problem=problem, extra=extra
            )
        problem = ""
        try:
            tool.parse(call.arguments)
        except ToolError as exc:
            problem = str(exc)
        options = tool.options
        return ev.ToolCall(
            op=op,
            call_id=call.call_id,
            name=call.name,
            arguments=call.arguments,
            extra=extra,
            effect=options.effect,
            retry=options.retry,
            cancellable=options.cancellable,
            problem=problem,
            timeout=options.timeout,
            on_duplicate=options.on_duplicate,
        )
