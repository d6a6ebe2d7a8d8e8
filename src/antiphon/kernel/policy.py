"""Settings the kernel reads: plain data, merged by the shell from session and agent options."""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.turns.expectation import Expectation

TurnMode = Literal["local", "provider", "manual", "none"]
"""Who rules on turns: we; a service, by its events; the application; nobody, where a model hears and answers by itself
(then what the caller says is recorded, and not answered here)."""


class TurnPolicy(msgspec.Struct, frozen=True):
    """Endpointing. Times in seconds, counted from the last speech sample.

    ``latency``: the one knob, 0 = fewest interruptions, 1 = fastest answers. ``score``: ask the end-of-turn
    model. ``speculate``: prepare a reply while waiting; ``speculate_tts``: synthesise its first segment as well.
    ``transcription_timeout``: how long a pause waits for a final transcript after the delay has passed.
    ``detector``: the name of a question's own end-of-turn model, empty for the agent's. ``max_words`` /
    ``max_duration``: user turn limits (0 = none). ``language``: BCP 47 tag that picks the word lists; ``unfinished``: last words after which a turn surely goes on (empty: the language's). ``expect``: what the caller is
    asked for (``None``: what the agent's last question says).
    """

    mode: TurnMode = "local"
    min_delay: float = 0.3
    max_delay: float = 1.6
    latency: float = 0.5
    score: bool = True
    score_after: float = 0.2
    speculate: bool = True
    speculate_tts: bool = True
    max_speculations: int = 3
    transcription_timeout: float = 1.5
    detector: str = ""
    max_words: int = 0
    max_duration: float = 0.0
    language: str = "en"
    unfinished: tuple[str, ...] = ()
    expect: Expectation | None = None


class BargeInPolicy(msgspec.Struct, frozen=True):
    """Interruption. The plane's reflex: duck after ``duck_after`` s of speech, pause at ``pause_after``; the kernel
    decides by ``decide_by`` and the plane holds at most ``hold_max``. ``min_words``: words needed for a real
    interruption; ``false_timeout``: after that much silence without words a pause was false: resume.
    ``wordless_after``: seconds of voice that interrupt without words, for a recogniser that has none before its final
    (0: voice without words never does). ``backchannels``: lower-case utterances that never interrupt; ``commands``: that always do
    (empty: those of ``language``); ``min_chance``: chance of taking the floor, by the backchannel model (English), from which words
    interrupt (0: the lists alone)."""

    enabled: bool = True
    duck_after: float = 0.12
    pause_after: float = 0.35
    decide_by: float = 0.5
    hold_max: float = 0.8
    min_words: int = 1
    false_timeout: float = 0.5
    backchannels: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    echo_warmup: float = 0.0
    wordless_after: float = 0.0
    language: str = "en"
    min_chance: float = 0.078


class BackchannelPolicy(msgspec.Struct, frozen=True):
    """The agent's own backchannels: ``clips`` ready to be said (0: it says none), the first ``after`` seconds into a turn of
    the caller's, ``every`` so many seconds at most."""

    clips: int = 0
    after: float = 4.0
    every: float = 6.0
    in_history: bool = False


class LadderPolicy(msgspec.Struct, frozen=True):
    """What is done while it is not the caller's move and nothing sounds: seconds after the committed turn.

    ``texts`` are keys into clips rendered ahead: ``filler``, ``apology``, ``goodbye``."""

    filler: float = 2.0
    failover: float = 3.5
    apology: float = 8.0
    end: float = 20.0
    max_silence: float = 4.0


class SessionPolicy(msgspec.Struct, frozen=True):
    """All of it, per agent.

    ``hook_soft`` / ``hook_hard``: deadlines of ``on_user_turn_completed``: filler, go on without it.
    ``tool_deadline``: a tool running longer is reported as failed to the model (writes go on, detached).
    ``party_grace``: seconds a dropped leg may take to come back before the party counts as gone.
    ``max_handoffs``: switches without a turn of the caller's between them; what asks for more is refused.
    ``speech_gap``: pause between two speeches of the agent. ``away_after``: silence of both until "away".
    """

    turn: TurnPolicy = TurnPolicy()
    barge_in: BargeInPolicy = BargeInPolicy()
    backchannel: BackchannelPolicy = BackchannelPolicy()
    ladder: LadderPolicy = LadderPolicy()
    max_tool_steps: int = 3
    hook_soft: float = 1.5
    hook_hard: float = 8.0
    tool_deadline: float = 60.0
    party_grace: float = 0.0
    media_confirm: float = 0.0
    settle: float = 0.3
    speech_gap: float = 0.0
    away_after: float = 15.0
    close_deadline: float = 5.0
    max_model_errors: int = 3
    max_handoffs: int = 5


class AgentRef(msgspec.Struct, frozen=True):
    """An agent as the kernel knows it: its key, and the policy that holds while it is the current one. ``path``: of its class
    (``module:QualName``), by which another process makes it anew."""

    key: str
    policy: SessionPolicy = SessionPolicy()
    has_on_enter: bool = True
    has_on_exit: bool = True
    has_turn_hook: bool = True
    path: str = ""


class ReplyOptions(msgspec.Struct, frozen=True):
    """What ``generate_reply`` asked for beyond the conversation. ``tools``: their names (``None``: all). ``own_context``: it
    brought a conversation of its own, which stays with the process."""

    instructions: str = ""
    tool_choice: Literal["auto", "none", "required"] = "auto"
    tools: tuple[str, ...] | None = None
    own_context: bool = False


class Terms(msgspec.Struct, frozen=True):
    """Terms of a hand-off. ``entry``: the new agent greets, continues (answers what is open) or is silent; empty: as it is
    made, an agent that spoke before continues. ``reads``: id of the first item that it reads of the conversation so far
    (empty: all of it, unless it was left before; ``NOTHING``). ``note``: what it reads in place of the rest."""

    entry: Literal["", "greet", "continue", "silent"] = ""
    reason: str = ""
    reads: str = ""
    note: str = ""


NOTHING = "-"
"""Nothing of the conversation so far."""
