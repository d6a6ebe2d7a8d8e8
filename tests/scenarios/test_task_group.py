"""Tasks one after another: in order, back to one that is done, on without what is optional."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from antiphon import (
    AgentTask,
    ConfigurationError,
    GetChoiceTask,
    GetEmailTask,
    GetPhoneNumberTask,
    GetYesNoTask,
    SessionClosedError,
    TaskCompletedEvent,
    TaskDeclinedError,
    TaskError,
    TaskGroup,
    TaskGroupResult,
    function_tool,
)
from antiphon.testing import Caller, calls
from tests.scenarios.ready_task_story import Story, at_noon


class GetName(AgentTask[str]):
    """A task of the application's own: free text, the model's business."""

    def __init__(self) -> None:
        super().__init__(instructions="Ask for the name. Call set_name.")

    async def on_enter(self) -> None:
        self.session.say("What is your name?")

    @function_tool
    async def set_name(self, name: str) -> None:
        """Note the name."""
        self.complete(name)


NAMES = {"ann": calls("set_name", name="Ann"), "bea": calls("set_name", name="Bea")}
WHEN = datetime(2026, 11, 25, 16, tzinfo=UTC)


def form(**options: Any) -> TaskGroup:
    group = TaskGroup(**options)
    group.add(GetName, id="name", names=["my name"])
    group.add(GetEmailTask, id="email")
    group.add(GetPhoneNumberTask, id="phone", optional=True)
    group.add(at_noon, id="when")
    return group.add(lambda: GetYesNoTask("Shall I book it?"), id="sure")


MAIL = ["john dot smith at gmail dot com", "yes"]
TIME = ["tomorrow at 4 pm", "yes"]


def test_in_order_with_every_result() -> None:
    done: list[TaskCompletedEvent] = []
    story = Story(
        lambda: form(on_task_completed=done.append),
        "Ann", *MAIL, "415 555 2671", "yes", *TIME, "yes please",
        model=NAMES,
    )  # fmt: skip
    wanted = {"name": "Ann", "email": "john.smith@gmail.com", "phone": "+14155552671", "when": WHEN, "sure": True}
    assert story.got == TaskGroupResult(wanted, [])
    assert [(one.task_id, one.result) for one in done] == list(wanted.items())
    assert isinstance(done[1].task, GetEmailTask)
    assert story.got.summary().splitlines()[1] == "email: john.smith@gmail.com"


def test_in_a_tool_it_is_the_tools_result() -> None:
    story = Story(lambda: TaskGroup().add(GetEmailTask, id="email"), *MAIL, at_once=False)
    assert "'email': 'john.smith@gmail.com'" in story.result.tools[0].output and story.said[-1] == "All done."


def test_what_is_optional_is_left_out() -> None:
    story = Story(form, "Ann", *MAIL, "skip it", *TIME, "yes", model=NAMES)
    assert story.got.skipped == ["phone"] and "phone" not in story.got.task_results
    assert story.got.summary().endswith("phone: not given")
    by_model = {**NAMES, "no such thing": calls("skip")}
    story = Story(form, "Ann", *MAIL, "no such thing in my house", *TIME, "yes", model=by_model)
    assert story.got.skipped == ["phone"]


def test_what_is_not_optional_ends_the_group() -> None:
    story = Story(form, "Ann", "I'd rather not say", model=NAMES)
    assert isinstance(story.got, TaskDeclinedError)
    kept = Story(lambda: form(return_exceptions=True), "Ann", "I'd rather not say", "pass", *TIME, "yes", model=NAMES)
    assert isinstance(kept.got.task_results["email"], TaskDeclinedError) and kept.got.task_results["sure"] is True


def test_the_caller_goes_back_by_naming_it() -> None:
    lines = ["Ann", *MAIL, "skip it", *TIME, "actually my e-mail was wrong", "eric at example dot com", "yes", "yes"]
    story = Story(form, *lines, model=NAMES)
    assert story.got.task_results["email"] == "eric@example.com" and story.got.task_results["sure"] is True
    assert story.said.count("Shall I book it?") == 2, story
    assert all(
        not request.text for request in story.llm.requests if "actually" in request.user_text and request.finished
    )


def test_the_caller_goes_back_with_the_right_answer_at_once() -> None:
    lines = ["Ann", *MAIL, "skip it", *TIME, "no, my e-mail is wrong, it's eric at example dot com", "yes", "yes"]
    story = Story(form, *lines, model=NAMES)
    assert story.got.task_results["email"] == "eric@example.com", story
    assert story.said.count("What is your e-mail address?") == 1


def test_the_caller_goes_back_to_the_one_before() -> None:
    story = Story(form, "Ann", "please go back", "Bea", *MAIL, "skip it", *TIME, "yes", model=NAMES)
    assert story.got.task_results["name"] == "Bea"


def test_the_model_goes_back() -> None:
    model = {
        **NAMES,
        "oh dear": calls("go_back", task_id="name", said="oh dear"),
        "call me": calls("set_name", name="Cy"),
    }
    story = Story(form, "Ann", "oh dear that was my sister", "call me Cy", *MAIL, "skip it", *TIME, "yes", model=model)
    assert story.got.task_results["name"] == "Cy"


def test_the_model_cannot_go_to_what_was_not_asked() -> None:
    model = {**NAMES, "oh dear": [calls("go_back", task_id="sure"), "What is it?"]}
    story = Story(form, "Ann", "oh dear", *MAIL, "skip it", *TIME, "yes", model=model)
    assert story.got.task_results["name"] == "Ann" and any(tool.is_error for tool in story.result.tools)


def test_going_back_and_declining_keeps_what_was_given() -> None:
    lines = ["Ann", *MAIL, "skip it", *TIME, "my e-mail is wrong", "never mind, skip it", "yes"]
    story = Story(form, *lines, model=NAMES)
    assert story.got.task_results["email"] == "john.smith@gmail.com"


def test_what_was_left_out_may_be_given_after_all() -> None:
    lines = ["Ann", *MAIL, "skip it", *TIME, "actually take my phone number", "415 555 2671", "yes", "yes"]
    story = Story(form, *lines, model=NAMES)
    assert story.got.task_results["phone"] == "+14155552671" and not story.got.skipped


def test_what_does_not_apply_is_not_asked() -> None:
    def make() -> TaskGroup:
        group = TaskGroup().add(lambda: GetYesNoTask("Do you have an e-mail address?"), id="has")
        return group.add(GetEmailTask, id="email", when=lambda results: results["has"])

    assert Story(make, "no").got == TaskGroupResult({"has": False}, ["email"])
    assert Story(make, "yes", *MAIL).got.task_results["email"] == "john.smith@gmail.com"


def by_phone_or_mail() -> TaskGroup:
    group = TaskGroup().add(lambda: GetChoiceTask("By phone or e-mail?", ["phone", "e-mail"]), id="way")
    group.add(GetPhoneNumberTask, id="number", when=lambda known: known["way"] == "phone")
    group.add(GetEmailTask, id="address", when=lambda known: known["way"] == "e-mail")
    return group.add(lambda: GetYesNoTask("Shall I book it?"), id="sure")


PHONE = ["phone", "415 555 2671", "yes"]


def test_a_changed_answer_asks_what_hangs_on_it_anew() -> None:
    story = Story(by_phone_or_mail, *PHONE, "I want to change the way", "e-mail", "ann at gmail", "yes", "yes")
    wanted = {"way": "e-mail", "address": "ann@gmail.com", "sure": True}
    assert story.got == TaskGroupResult(wanted, ["number"]), story
    there_and_back = ["change the way", "e-mail", "ann at gmail", "yes", "change the way", *PHONE]
    story = Story(by_phone_or_mail, *PHONE, *there_and_back, "yes")
    assert story.got == TaskGroupResult({"way": "phone", "number": "+14155552671", "sure": True}, ["address"]), story


def test_a_question_that_no_longer_applies_is_left() -> None:
    story = Story(by_phone_or_mail, "phone", "no, go back", "e-mail", "ann at gmail", "yes", "yes")
    assert story.got.task_results == {"way": "e-mail", "address": "ann@gmail.com", "sure": True}, story
    lines = ["change the number", "go back", "e-mail", "ann at gmail", "yes", "yes"]
    story = Story(by_phone_or_mail, *PHONE, *lines)
    assert story.got == TaskGroupResult({"way": "e-mail", "address": "ann@gmail.com", "sure": True}, ["number"]), story


def test_going_back_passes_by_what_does_not_apply() -> None:
    story = Story(by_phone_or_mail, *PHONE, "go back", "415 555 2672", "yes", "yes")
    assert story.got.task_results["number"] == "+14155552672", story
    story = Story(by_phone_or_mail, *PHONE, "no, the address is wrong", "yes")
    assert story.got.task_results["sure"] is True and "What is your e-mail address?" not in story.said


def test_from_an_earlier_question_it_goes_further_back() -> None:
    lines = ["go back", "go back", "phone", "415 555 2672", "yes", "yes"]
    story = Story(by_phone_or_mail, *PHONE, *lines)
    assert story.said.count("By phone or e-mail?") == 2
    assert story.got.task_results == {"way": "phone", "number": "+14155552672", "sure": True}, story


def test_going_back_to_what_is_not_clear_is_left_to_the_model() -> None:
    model = {"go back": calls("go_back", task_id="way", said="by e-mail please")}
    story = Story(by_phone_or_mail, *PHONE, "go back, by e-mail please then", "ann at gmail", "yes", "yes", model=model)
    assert story.got.task_results == {"way": "e-mail", "address": "ann@gmail.com", "sure": True}, story


@pytest.mark.parametrize("at_once", [True, False])
def test_a_new_owner_goes_on_behind_a_going_back(at_once: bool) -> None:
    def make() -> TaskGroup:
        group = TaskGroup().add(GetEmailTask, id="email")
        group.add(lambda: GetYesNoTask("Shall I call you?"), id="call", optional=True)
        return group.add(lambda: GetYesNoTask("Shall I book it?"), id="sure")

    lines = ["ann at gmail", "yes", "wait my e-mail was wrong", "anna at gmail", "yes", "skip it", "yes"]
    wanted = TaskGroupResult({"email": "anna@gmail.com", "sure": True}, ["call"])
    whole = Story(make, *lines, at_once=at_once)
    assert whole.got == wanted, whole
    left = next(n for n, one in enumerate(whole.result.log.inputs) if "TaskLeft" in str(one))
    for forgotten in range(
        left - 4, left + 12, 2
    ):  # the words are said; those of another line may be lost with the owner
        story = Story(make, *lines, at_once=at_once, forget_after=[forgotten])
        assert story.got == wanted and not story.result.errors, (forgotten, str(story))


def test_a_group_may_be_in_a_group() -> None:
    story = Story(lambda: TaskGroup().add(lambda: TaskGroup().add(GetEmailTask, id="email"), id="contact"), *MAIL)
    assert story.got.task_results["contact"].task_results["email"] == "john.smith@gmail.com"


def test_a_callback_or_a_factory_that_fails_ends_it() -> None:
    def fails(event: TaskCompletedEvent) -> None:
        raise ValueError("no room on the disk")

    assert isinstance(Story(lambda: form(on_task_completed=fails), "Ann", model=NAMES).got, ValueError)
    assert isinstance(Story(lambda: TaskGroup().add(lambda: 7, id="x")).got, ConfigurationError)  # type: ignore[arg-type, return-value]
    assert isinstance(Story(TaskGroup).got, TaskError)


def test_hanging_up_ends_all_of_it() -> None:
    caller = Caller().says("Please book it", at=1.0).waits_for_agent().says("Ann").waits_for_words("What is").hangs_up()
    story = Story(form, caller=caller, model=NAMES, at_once=False)
    assert isinstance(story.got, SessionClosedError), story


def test_a_group_is_put_together_once() -> None:
    with pytest.raises(ConfigurationError, match="called 'email'"):
        TaskGroup().add(GetEmailTask, id="email").add(GetEmailTask, id="email")
    with pytest.raises(ConfigurationError, match="makes its tasks itself"):
        TaskGroup().add(GetEmailTask(), id="email")  # type: ignore[arg-type]


def test_the_agent_below_reads_the_results_and_not_the_dialogue() -> None:
    story = Story(form, "Ann", *MAIL, "skip it", *TIME, "yes", at_once=False, model=NAMES)
    read = str(story.llm.requests[-1].chat_ctx.items)
    assert "email: john.smith@gmail.com" in read and "phone: not given" in read, read
    assert "john dot smith" not in read and "john dot smith at gmail dot com" in story.result.turns


def test_errors_among_the_results_can_be_read_too() -> None:
    story = Story(lambda: form(return_exceptions=True), "Ann", "pass", "pass", *TIME, "yes", at_once=False, model=NAMES)
    assert isinstance(story.got.task_results["email"], TaskDeclinedError), story
    assert not story.result.errors, story
