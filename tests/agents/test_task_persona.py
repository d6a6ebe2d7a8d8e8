"""A ready task keeps its own rules and takes on a manner."""

from __future__ import annotations

from antiphon import GetEmailTask
from tests.scenarios.ready_task_story import Story

MANNER = "You are the harbour master. Speak in short sentences."


def test_the_model_reads_the_manner_beside_the_tasks_own_rules() -> None:
    story = Story(
        lambda: GetEmailTask(extra_instructions=MANNER),
        "What do you need it for",
        "anna at example dot com",
        "Yes",
        model={"What do you need it for": "For the receipt, sailor. What is your e-mail?"},
    )
    assert story.got == "anna@example.com", story
    asked = next(request for request in story.llm.requests if request.user_text == "What do you need it for")
    assert MANNER in asked.instructions and "record_email" in asked.instructions
