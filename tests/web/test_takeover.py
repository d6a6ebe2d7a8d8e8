"""A browser's call survives the process that serves it: one that is killed, and one that a change of the program replaces."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from tests.web.app import LONG, OTHER
from tests.web.browser import (
    HERE,
    ROOT,
    Server,
    Tab,
    browser,
    half_rate,
    likeness,
    need_models,
    recorded_context,
    silence,
    spoken,
)
from tests.web.test_browser import ALIKE

CHANGED = "Now it is a cortado that you get from us and nothing else"


def test_killed_in_mid_sentence_the_sentence_goes_on_and_so_does_the_call(tmp_path: Path) -> None:
    need_models()
    server = Server(tmp_path)
    with browser(silence(40.0), folder=tmp_path) as chrome:
        tab = Tab(recorded_context(chrome), server.address)
        session = tab.talk()
        tab.type("Tell me a story")
        tab.caption("agent", "coffee")
        serving = server.agents()[0]
        os.kill(serving, signal.SIGKILL)
        server.says(f"session {session} goes on in process")
        assert tab.caption("agent", LONG, kind=":not(.open)") == LONG
        tab.type("A cappuccino please")
        assert tab.caption("agent", OTHER, kind=":not(.open)") == OTHER
        assert tab.page.evaluate("call.session") == session
        assert len(tab.page.locator(".line.user p", has_text="Tell me a story").all()) == 1
        _, agent = tab.captured()
        tab.hang_up()
        assert tab.problems == []
    heard = half_rate(agent)
    for text in (LONG, OTHER):
        alike = likeness(spoken(text), heard)
        assert np.mean(np.array(alike[1:]) >= ALIKE) > 0.9, (text, alike)
    assert server.stop() == 0, "".join(server.said)
    log = (tmp_path / f"{session}.jsonl").read_text()
    assert log.count('"kind":"turn.committed"') == 2 and log.count('"kind":"session.ended"') == 1


def test_a_change_of_the_program_is_there_with_the_next_sentence(tmp_path: Path) -> None:
    need_models()
    app = tmp_path / "program" / "app.py"
    app.parent.mkdir()
    text = (HERE / "app.py").read_text().replace("Path(__file__).parents[2]", f"Path({str(ROOT)!r})")
    app.write_text(text)
    server = Server(tmp_path, app=app)
    with browser(silence(40.0), folder=tmp_path) as chrome:
        tab = Tab(chrome.new_context(), server.address)
        tab.page.click("#talk")
        tab.state("connected")
        tab.type("A cappuccino please")
        tab.caption("agent", OTHER, kind=":not(.open)")
        app.write_text("nonsense(")
        server.says("the changed program does not start")
        tab.type("A cappuccino please")
        app.write_text(text.replace(OTHER, CHANGED))
        server.says("was handed over to process")
        tab.type("Another cappuccino")
        assert tab.caption("agent", CHANGED, kind=":not(.open)") == CHANGED
        assert len(tab.page.locator(".line.agent p", has_text=OTHER).all()) == 2, "what was said before is still there"
        tab.hang_up()
        assert tab.problems == []
    assert server.stop() == 0, "".join(server.said)
