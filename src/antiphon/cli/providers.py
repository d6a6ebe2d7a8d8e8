"""``antiphon providers``: the services that a model string may name, and whether one of them works with your key."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from antiphon.cli.provider_table import ProviderEntry, entries
from antiphon.errors import ConfigurationError, ModelMissingError
from antiphon.providers.prices import bundled_prices
from antiphon.providers.registry import speech_row_of
from antiphon.testing.conformance import Report, SpeechSample, check_llm, check_stt, check_tts
from antiphon.wire.resolve import llm_from_string, parse_model_string, stt_from_string, tts_from_string

COST = "about 30 short requests: a few cents"
SENTENCE = "I would like to book a table for two on Monday."
MARKS = {True: "yes", False: "no"}


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon providers``."""
    top = argparse.ArgumentParser(prog="antiphon providers", description=__doc__)
    top.add_argument("--json", action="store_true", help="as JSON")
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    one = verbs.add_parser("test", help="run the conformance kit against the live service, with your key")
    one.add_argument("model", metavar="NAME", help="a model string, or a provider's name for its usual model")
    one.add_argument("--kind", choices=("stt", "llm", "tts"), help="where the name could be several")
    one.add_argument("--yes", action="store_true", help="do not ask before money is spent")
    one.add_argument("--wav", metavar="FILE", help="English speech for a recogniser to hear")
    one.add_argument("--text", default=SENTENCE, help="what FILE says")
    one.add_argument("--json", action="store_true", help="as JSON")
    return top


def main(words: Sequence[str]) -> int:
    """List the providers, or test one. Returns the exit status."""
    options = parser().parse_args(words)
    if options.verb == "test":
        return test(options)
    found = entries(os.environ)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode([_shown(entry) for entry in found]), indent=2).decode())
        return 0
    show(found)
    return 0


def _shown(entry: ProviderEntry) -> dict[str, Any]:
    fields = ("name", "kind", "capabilities", "prices", "verified", "as_of", "configured")
    data = msgspec.to_builtins(entry)
    return {name: data[name] for name in fields} | {"example": entry.example, "key_variable": entry.key_variable}


def show(found: Sequence[ProviderEntry]) -> None:
    """The table."""
    rows = [("provider", "kind", "ready", "verified", "example", "capabilities")]
    for entry in found:
        can = ", ".join(name for name, value in entry.capabilities.items() if value is True)
        verified = ", ".join(entry.verified) + (f" ({entry.as_of})" if entry.verified else "")
        rows.append((entry.name, entry.kind, MARKS[entry.configured], verified, entry.example, can))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
    missing = sorted({f"{e.name}: {e.key_variable}" for e in found if not e.configured and e.key_variable})
    if missing:
        print(f"\nnot ready, the key is missing: {'; '.join(missing)}")


# --- test --------------------------------------------------------------------------------------------------------


def test(options: argparse.Namespace) -> int:
    """Run the kit. Returns 0 where everything holds, 1 where something does not."""
    entry, text = chosen(options.model, options.kind, entries(os.environ))
    if not entry.configured and "@" not in text:
        raise ConfigurationError(f"{text} needs an API key.", hint=f"Set {entry.key_variable}.")
    if not options.yes and not entry.local and not agreed(f"This asks {text} {COST}. Go on?"):
        print("nothing was asked")
        return 1
    report = asyncio.run(_run(entry.kind, text, options.wav, options.text))
    print(report.to_json().decode() if options.json else report)
    return 0 if report.ok else 1


def chosen(name: str, kind: str | None, found: Sequence[ProviderEntry]) -> tuple[ProviderEntry, str]:
    """The provider that a name means, and its model string. Raises ``ConfigurationError``."""
    prefix = parse_model_string(name).prefix if "/" in name else name.lower()
    of_name = [entry for entry in found if entry.name == prefix and kind in (None, entry.kind)]
    if not of_name:
        known = ", ".join(sorted({entry.name for entry in found}))
        what = f" of kind {kind}" if kind else ""
        raise ConfigurationError(f"There is no provider {prefix!r}{what}.", hint=f"There are {known}.")
    if len(of_name) > 1:
        fitting = _called(prefix, parse_model_string(name).model, of_name) if "/" in name else []
        if len(fitting) != 1:
            kinds = ", ".join(entry.kind for entry in of_name)
            raise ConfigurationError(f"{name!r} may be: {kinds}.", hint="Say which with --kind.")
        of_name = fitting
    entry = of_name[0]
    return entry, name if "/" in name else entry.example


def _called(prefix: str, model: str, found: Sequence[ProviderEntry]) -> list[ProviderEntry]:
    """Those whose models are called so: speech models by the registry, others by what they cost."""
    bare = model.partition(":")[0]
    rows = [(entry, speech_row_of(prefix, entry.kind)) for entry in found]
    spoken = [entry for entry, row in rows if row is not None and row.calls(bare)]
    priced = [entry for entry, row in rows if row is None and bundled_prices().find("llm", prefix, model)]
    return spoken or priced


def agreed(question: str) -> bool:
    """Ask at the terminal; nobody there: no."""
    if not sys.stdin.isatty():
        print(f"{question} Nobody is there to ask: add --yes.", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


async def _run(kind: str, text: str, wav: str | None, said: str) -> Report:
    if kind == "llm":
        return await check_llm(lambda: llm_from_string(text), live=True)
    if kind == "tts":
        return await check_tts(lambda: tts_from_string(text))
    sample = SpeechSample.wav(said, wav) if wav else await _spoken_here(said)
    return await check_stt(lambda: stt_from_string(text), sample)


async def _spoken_here(text: str) -> SpeechSample:
    """The sentence in the voice of this machine."""
    from antiphon.local import resolve
    from antiphon.testing.conformance.tts_checks import speak

    try:
        voice = resolve("local/piper-joe")
    except ModelMissingError as missing:
        raise ConfigurationError(
            "There is no speech to recognise.",
            hint="Give some with --wav FILE --text TEXT, or fetch a voice: antiphon models pull piper-joe",
        ) from missing
    run: Callable[..., Awaitable[Any]] = speak
    frames = await run(voice, text)
    await voice.aclose()
    return SpeechSample.pcm(text, b"".join(frame.data for frame in frames), frames[0].rate)
