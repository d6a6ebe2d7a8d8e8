"""Writes docs/providers/: one page a provider, from the registry, the price table and the record of proofs.

    .venv/bin/python scripts/provider_pages.py [--check]

``--check`` writes nothing and returns 1 where a page is not current.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path

from antiphon.cli.provider_table import ProviderEntry, entries
from antiphon.providers import registry
from antiphon.testing.simulators.openai_dialects import DIALECTS

FOLDER = Path(__file__).parents[1] / "docs" / "providers"
KINDS = {"stt": "speech to text", "llm": "language model", "tts": "text to speech"}
INTERNAL = {"self", "deadlines", "connector", "wire"}
HEAD = "<!-- Written by scripts/provider_pages.py: change the data, not this page. -->\n\n"


def pages() -> dict[str, str]:
    """File name -> text."""
    found = entries({})
    by_name: dict[str, list[ProviderEntry]] = {}
    for entry in found:
        by_name.setdefault(entry.name, []).append(entry)
    made = {f"{name}.md": page(name, own) for name, own in by_name.items()}
    return {"README.md": index(by_name), **made}


def index(by_name: dict[str, list[ProviderEntry]]) -> str:
    """The list of all."""
    lines = [
        "# Providers\n",
        "`antiphon providers` prints this for your machine; `antiphon providers test NAME` runs the kit against the live",
        "service with your key. How to write one: [new.md](new.md).\n",
        "| provider | kinds | verified |",
        "|---|---|---|",
    ]
    for name, own in by_name.items():
        kinds = ", ".join(KINDS[entry.kind] for entry in own)
        proofs = "; ".join(f"{entry.kind}: {', '.join(entry.verified)}" for entry in own if entry.verified)
        proofs = proofs or ("shared tests over a simulator" if name in DIALECTS else "")
        lines.append(f"| [{name}]({name}.md) | {kinds} | {proofs} |")
    return HEAD + "\n".join(lines) + "\n"


def page(name: str, own: list[ProviderEntry]) -> str:
    """One provider."""
    parts = [f"# {name}\n"]
    for entry in own:
        parts.append(section(entry))
    return HEAD + "\n".join(parts).rstrip() + "\n"


def section(entry: ProviderEntry) -> str:
    """One kind of a provider."""
    lines = [f"## {KINDS[entry.kind].capitalize()}\n", f'`{entry.kind}="{entry.example}"`']
    if entry.local:
        lines.append("on your own machine; no key is needed.\n")
    elif entry.key_variable:
        lines.append(f"with the key in `{entry.key_variable}`.\n")
    lines += options(entry)
    lines += ["| capability | declared |", "|---|---|"]
    lines += [
        f"| `{name}` | {'yes' if value is True else 'no' if value is False else value} |"
        for name, value in entry.capabilities.items()
    ]
    lines += ["", *prices(entry), *proofs(entry)]
    return "\n".join(lines)


def options(entry: ProviderEntry) -> list[str]:
    """What a user may set, from the signature of the class."""
    row = registry.speech_row_of(entry.name, entry.kind)
    llm = registry.row_of(entry.name) if entry.kind == "llm" else None
    if row is not None:
        factory = row.factory
    elif llm is not None:
        factory = llm.front
        if factory.endswith("openai_compatible:LLM"):
            return about(llm)
    else:
        return []
    module, _, attribute = factory.partition(":")
    front = getattr(import_module(module), attribute)
    lines = [
        *(about(llm) if llm is not None else []),
        f"As an object: `{module.removeprefix('antiphon.providers.')}.{attribute}(...)`, imported with",
        f"`from antiphon.providers import {module.rpartition('.')[2]}`.\n",
    ]
    lines += [inspect.cleandoc(front.__doc__ or "").replace("``", "`"), ""]
    lines += ["| option | default |", "|---|---|"]
    for parameter in inspect.signature(front).parameters.values():
        if parameter.name not in INTERNAL and parameter.kind is not parameter.VAR_KEYWORD:
            default = "" if parameter.default is parameter.empty else f"`{parameter.default!r}`"
            lines.append(f"| `{parameter.name}` | {default} |")
    return [*lines, ""]


def about(row: registry.ProviderRow) -> list[str]:
    """What is to be known of a language model's service."""
    lines = [f"{row.title}, at `{row.base_url}`; [its documents]({row.docs_url})"]
    lines[0] += f", [keys]({row.key_url})." if row.key_url else "."
    lines += [text for text in (row.start_hint, row.notes) if text]
    if row.front.endswith("openai_compatible:LLM"):
        lines.append(f'As an object: `openai_compatible.LLM("{row.prefix}", "{row.example}", ...)`.')
    return ["\n".join(lines), f"\nLooked up on {row.as_of}.\n"]


def prices(entry: ProviderEntry) -> list[str]:
    """Its rows of the price table."""
    priced = [price for price in entry.prices if not price.own_machine]
    if entry.local:
        return ["It runs on your own machine: nothing is owed for its use.\n"]
    if not priced:
        return ["No price is known: pass `prices=` to the session, or its cost is reported as unknown.\n"]
    lines = ["| model | US dollars | as of | source |", "|---|---|---|---|"]
    for price in priced:
        units = {
            "a million prompt tokens": price.million_prompt_tokens,
            "of cached ones": price.million_cached_tokens,
            "a million completion tokens": price.million_completion_tokens,
            "a thousand characters": price.thousand_characters,
            "a minute of audio": price.audio_minute,
        }
        said = ", ".join(f"{value:g} {unit}" for unit, value in units.items() if value is not None)
        lines.append(f"| `{price.model}` | {said} | {price.as_of} | {price.source} |")
    return [*lines, ""]


def proofs(entry: ProviderEntry) -> list[str]:
    """What was shown, how and when."""
    if not entry.proofs:
        return [shared_tests(entry.name)]
    lines = ["| verified by | as of | test | |", "|---|---|---|---|"]
    lines += [f"| {proof.proof} | {proof.as_of} | `{proof.test}` | {proof.note} |" for proof in entry.proofs]
    return [*lines, ""]


def shared_tests(name: str) -> str:
    """What was run of a service that follows OpenAI's format and has no proof of its own."""
    row = registry.row_of(name)
    if row is None or name not in DIALECTS:
        return "Verified by the conformance kit over its simulator alone.\n"
    parts = "conversation, options, tools, usage, errors" if row.tools else "conversation, options, usage, errors"
    lines = [
        "Shared tests were run over the simulator in this service's dialect:",
        f"`tests/providers/test_openai_compatible.py` ({parts}){'.' if name == 'azure' else ','}",
    ]
    if name != "azure":
        lines.append(
            "`tests/providers/test_llm_conformance.py` (the contract of the conformance kit"
            f"{'' if row.tools else ', but for tools'})."
        )
    return "\n".join([*lines, "Nothing was checked against the service itself, its schema or its own library.", ""])


def main(words: list[str]) -> int:
    made = pages()
    stale = [
        name
        for name, text in made.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    extra = [path.name for path in FOLDER.glob("*.md") if path.name not in made and path.name != "new.md"]
    if "--check" in words:
        for name in stale + extra:
            print(f"docs/providers/{name} is not current", file=sys.stderr)
        return 1 if stale or extra else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(made[name], encoding="utf-8")
    for name in extra:
        (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
