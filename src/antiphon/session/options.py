"""What a user sets about turns, interruptions and silence, and how it becomes the kernel's policy."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.kernel.listening import CLIP
from antiphon.kernel.policy import BackchannelPolicy, BargeInPolicy, LadderPolicy, SessionPolicy, TurnPolicy
from antiphon.models.turn_detector import TurnDetector
from antiphon.turns.expectation import Expectation, Kind
from antiphon.turns.words import words_of

Detection = Literal["vad", "stt", "manual"]


class EndpointingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a pause ends a turn. ``min_delay`` / ``max_delay``: seconds from the last speech; ``latency``: 0 (fewest
    interruptions) to 1 (fastest answers). ``unfinished``: last words after which a turn surely goes on (unset: the
    language's list)."""

    min_delay: float | None = None
    max_delay: float | None = None
    latency: float | None = None
    unfinished: tuple[str, ...] | None = None


class InterruptionOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the caller's voice stops the agent. Times in seconds of continuous speech: ``duck_after`` lowers the voice,
    ``pause_after`` pauses it, by ``decide_by`` it is ruled on. ``min_words``: words a real interruption has.
    ``false_timeout``: a pause with no words resumes after it. ``backchannels`` / ``commands``: utterances that never /
    always interrupt (unset: the language's list). ``min_chance``: chance of taking the floor, by the backchannel model, from
    which English words interrupt; higher lets more through, 0 goes by the lists alone."""

    enabled: bool | None = None
    duck_after: float | None = None
    pause_after: float | None = None
    decide_by: float | None = None
    hold_max: float | None = None
    min_words: int | None = None
    false_timeout: float | None = None
    backchannels: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None
    echo_warmup: float | None = None
    min_chance: float | None = None


class BackchannelOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The agent's own backchannels ("mhm") in long turns of the caller's; off unless ``enabled``. The first comes ``after``
    seconds, the next ``every`` so many. ``texts``: what is said, in turn (unset: the language's), rendered when the session starts.
    ``in_history``: keep them in the history. Belongs on the session."""

    enabled: bool | None = None
    after: float | None = None
    every: float | None = None
    texts: tuple[str, ...] | None = None
    in_history: bool | None = None


class LadderOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said when the caller waits for too long: seconds, and the texts by language."""

    filler: float | None = None
    failover: float | None = None
    apology: float | None = None
    end: float | None = None
    max_silence: float | None = None
    texts: dict[str, str] | None = None
    """Texts for ``filler``, ``apology``, ``goodbye``; unset ones come from the language's defaults."""


class TurnHandlingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings about turns, for a session or for one agent; what an agent leaves unset the session decides.

    ``turn_detection``: ``vad`` (pauses, scored by the end-of-turn model), ``stt`` (the recogniser's own events),
    ``manual`` (``commit_user_turn``), or a ``TurnDetector``; ``score=False`` uses pauses alone. ``language``: BCP 47 tag that picks
    the word lists (unset: the session's language). ``expect``: what the caller is asked for (``digits``, ``spelling``,
    ``email``, ``yes_no``, or an ``Expectation`` with the number of digits; ``open``: nothing in particular; unset: what
    the agent's last question says).
    """

    turn_detection: Any = None
    endpointing: EndpointingOptions = EndpointingOptions()
    interruption: InterruptionOptions = InterruptionOptions()
    backchannel: BackchannelOptions = BackchannelOptions()
    ladder: LadderOptions = LadderOptions()
    score: bool | None = None
    preemptive_generation: bool | None = None
    preemptive_tts: bool | None = None
    transcription_timeout: float | None = None
    max_words: int | None = None
    max_duration: float | None = None
    language: str | None = None
    expect: Expectation | Kind | None = None

    @classmethod
    def of(cls, given: TurnHandlingOptions | dict[str, Any] | None) -> TurnHandlingOptions:
        """From an object, a dict of the same shape, or nothing. Raises ``ConfigurationError`` naming the bad key."""
        try:
            made = given if isinstance(given, TurnHandlingOptions) else msgspec.convert({**(given or {})}, cls)
        except (msgspec.ValidationError, TypeError) as exc:
            raise ConfigurationError(f"turn_handling: {exc}.", hint="See docs on TurnHandlingOptions.") from exc
        if not (made.turn_detection in (None, "vad", "stt", "manual") or isinstance(made.turn_detection, TurnDetector)):
            raise ConfigurationError(
                f"turn_detection={made.turn_detection!r} is not known.",
                hint="Use 'vad', 'stt', 'manual' or a TurnDetector.",
            )
        return made


TEXTS = {
    "en": {
        "filler": "One moment, please.",
        "apology": "I'm sorry, I'm having trouble right now. Could you say that again?",
        "goodbye": "I'm sorry, something is not working on my side. Please try again later. Goodbye.",
    },
    "de": {
        "filler": "Einen Moment, bitte.",
        "apology": "Entschuldigung, da gab es gerade ein Problem. Können Sie das bitte wiederholen?",
        "goodbye": "Es tut mir leid, bei mir funktioniert gerade etwas nicht. Bitte versuchen Sie es später wieder. "
        "Auf Wiederhören.",
    },
    "es": {
        "filler": "Un momento, por favor.",
        "apology": "Lo siento, he tenido un problema. ¿Puede repetirlo, por favor?",
        "goodbye": "Lo siento, algo no funciona por mi parte. Inténtelo de nuevo más tarde. Adiós.",
    },
    "fr": {
        "filler": "Un instant, s'il vous plaît.",
        "apology": "Désolé, j'ai eu un problème. Pouvez-vous répéter, s'il vous plaît ?",
        "goodbye": "Désolé, quelque chose ne fonctionne pas de mon côté. Réessayez plus tard. Au revoir.",
    },
}


BACKCHANNELS: dict[str, tuple[str, ...]] = {
    "en": ("Mhm.", "Okay."),
    "de": ("Mhm.", "Ja."),
    "es": ("Ajá.", "Sí."),
    "fr": ("Mhm.", "Oui."),
}
"""What the agent says to show that it listens."""


def backchannel_texts(language: str, *layers: TurnHandlingOptions) -> tuple[str, ...]:
    """The clips of the agent's own backchannels; none where they are off."""
    enabled = False
    texts = BACKCHANNELS.get(language.split("-")[0].lower(), BACKCHANNELS["en"])
    for layer in layers:
        enabled = enabled if layer.backchannel.enabled is None else layer.backchannel.enabled
        texts = layer.backchannel.texts or texts
    return texts if enabled else ()


def ladder_texts(language: str, *layers: TurnHandlingOptions) -> dict[str, str]:
    """The clips' texts: the language's defaults, overridden by each layer in turn."""
    texts = dict(TEXTS.get(language.split("-")[0].lower(), TEXTS["en"]))
    for layer in layers:
        texts.update(layer.ladder.texts or {})
    return texts | {f"{CLIP}{n}": text for n, text in enumerate(backchannel_texts(language, *layers))}


def detection(*layers: TurnHandlingOptions) -> Detection | TurnDetector | None:
    """The last layer's choice that is set."""
    chosen: Detection | TurnDetector | None = None
    for layer in layers:
        if layer.turn_detection is not None:
            chosen = layer.turn_detection
    return chosen


def session_policy(
    base: SessionPolicy,
    *layers: TurnHandlingOptions,
    has_detector: bool,
    language: str = "en",
) -> SessionPolicy:
    """The kernel's policy: ``base`` with each layer's set values over it, the agent's last."""
    for layer in layers:
        language = layer.language or language
    turn, barge_in, backchannel, ladder = base.turn, base.barge_in, base.backchannel, base.ladder
    for layer in layers:
        turn = _over(turn, layer.endpointing, TurnPolicy)
        turn = msgspec.structs.replace(
            turn,
            **_set(
                score=layer.score,
                speculate=layer.preemptive_generation,
                speculate_tts=layer.preemptive_tts,
                transcription_timeout=layer.transcription_timeout,
                max_words=layer.max_words,
                max_duration=layer.max_duration,
                expect=Expectation(layer.expect) if isinstance(layer.expect, str) else layer.expect,
            ),
        )
        barge_in = _over(barge_in, layer.interruption, BargeInPolicy)
        backchannel = _over(backchannel, layer.backchannel, BackchannelPolicy)
        ladder = _over(ladder, layer.ladder, LadderPolicy)
    chosen = detection(*layers)
    mode: Literal["local", "provider", "manual"] = {"stt": "provider", "manual": "manual"}.get(chosen, "local")  # type: ignore[assignment, arg-type]
    turn = msgspec.structs.replace(
        turn, mode=mode, score=turn.score and has_detector and mode == "local", language=language
    )
    barge_in = msgspec.structs.replace(barge_in, language=language)
    if turn.min_delay > turn.max_delay:
        raise ConfigurationError(
            f"min_delay ({turn.min_delay} s) is longer than max_delay ({turn.max_delay} s).",
            hint="Set both in turn_handling.endpointing.",
        )
    backchannel = msgspec.structs.replace(backchannel, clips=len(backchannel_texts(language, *layers)))
    return msgspec.structs.replace(base, turn=turn, barge_in=barge_in, backchannel=backchannel, ladder=ladder)


def _set(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


WORD_LISTS = {"unfinished", "backchannels", "commands"}


def _over(target: Any, layer: msgspec.Struct, kind: type[msgspec.Struct]) -> Any:
    values = {name: getattr(layer, name) for name in layer.__struct_fields__ if name in kind.__struct_fields__}
    for name in WORD_LISTS & values.keys():
        if values[name] is not None:
            values[name] = tuple(" ".join(words_of(entry)) for entry in values[name])
    return msgspec.structs.replace(target, **_set(**values))
