"""Ready tasks in calls: the caller spells, corrects, declines, asks something else, breaks in, hangs up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from antiphon import (
    ChatContext,
    ConfigurationError,
    FieldTask,
    GetChoiceTask,
    GetDateTimeTask,
    GetEmailTask,
    GetPhoneNumberTask,
    GetYesNoTask,
    SessionClosedError,
    TaskDeclinedError,
)
from antiphon.agents.fields.answer import UNREAD, Answer, Found, Partial, Reader, Refused
from antiphon.testing import Caller, calls
from tests.scenarios.ready_task_story import Story, at_noon

JOHN = "That's J, O, H, N, dot, S, M, I, T, H, at gmail dot com. Is that right?"


# --- every field, as it should be ---------------------------------------------------------------------------------


def test_an_address_is_read_back_and_confirmed_without_the_model() -> None:
    story = Story(GetEmailTask, "john dot smith at gmail dot com", "yes that's right")
    assert story.got == "john.smith@gmail.com"
    assert story.said == ["What is your e-mail address?", JOHN, "Thank you."]
    assert not [request for request in story.llm.requests if request.finished and request.text]


def test_a_phone_number_is_read_back_in_groups() -> None:
    story = Story(GetPhoneNumberTask, "four one five, five five five, two six seven one", "correct")
    assert story.got == "+14155552671"
    assert story.said[1] == "That's four one five, five five five, two six seven one. Is that right?"


def test_a_number_with_too_many_digits_is_asked_for_again() -> None:
    lines = ["two one two five five five sorry five five six oh one nine nine", "212 555 0199", "yes"]
    story = Story(GetPhoneNumberTask, *lines)
    assert story.got == "+12125550199" and not story.result.errors
    assert story.said[1] == "That has too many digits for a phone number. Could you tell me the number again?"


def test_an_extension_is_read_back_as_one() -> None:
    story = Story(GetPhoneNumberTask, "212 555 0199 extension four two", "yes")
    assert story.got == "+12125550199;ext=42"
    assert story.said[1] == "That's two one two, five five five, zero one nine nine, extension four two. Is that right?"


def test_a_time_is_read_back_with_its_weekday() -> None:
    story = Story(lambda: at_noon(hours=(time(9), time(18))), "next tuesday at half past four", "yes please")
    assert story.got == datetime(2026, 12, 1, 16, 30, tzinfo=UTC)
    assert story.said[1] == "That's Tuesday, December first, at four thirty in the afternoon. Is that right?"


def test_a_day_alone_and_a_time_alone() -> None:
    assert Story(lambda: at_noon(mode="date"), "the third of december", "yes").got == date(2026, 12, 3)
    assert Story(lambda: at_noon(mode="time"), "six thirty in the morning", "yes").got == time(6, 30)


def test_a_yes_or_no_is_taken_at_once() -> None:
    assert Story(lambda: GetYesNoTask("Shall I book it?"), "yes please").got is True
    for no in ("no thank you", "I'd rather not"):
        assert Story(lambda: GetYesNoTask("Shall I book it?"), no).got is False


def test_a_choice_is_taken_at_once_and_asked_again_where_it_is_two() -> None:
    def drink() -> GetChoiceTask:
        return GetChoiceTask("Tea, coffee or water?", {"t": ["tea", "earl grey"], "c": "coffee", "w": "water"})

    assert Story(drink, "an earl grey please").got == "t"
    story = Story(drink, "coffee or tea", "the second one")
    assert story.got == "t" and "Do you mean coffee, or tea?" in story.said


def test_awaited_in_a_tool_the_result_is_the_tools() -> None:
    story = Story(GetEmailTask, "john dot smith at gmail dot com", "yes", at_once=False)
    assert story.result.tools[0].output == "got 'john.smith@gmail.com'" and story.said[-1] == "All done."


def test_what_was_said_before_needs_not_be_asked() -> None:
    story = Story(lambda: GetEmailTask(said="mail me at john dot smith at gmail dot com"), "yes")
    assert story.got == "john.smith@gmail.com" and story.said[0] == JOHN
    assert Story(lambda: GetChoiceTask("Tea or milk?", ["tea", "milk"], said="a tea please")).got == "tea"
    assert Story(lambda: GetEmailTask(said="I have a question"), "bob at gmail", "yes").got == "bob@gmail.com"


def test_other_languages_have_words_of_their_own() -> None:
    story = Story(GetEmailTask, "anna punkt bauer ät web punkt de", "ja genau", language="de")
    assert story.got == "anna.bauer@web.de"
    assert story.said[:2] == [
        "Wie ist Ihre E-Mail-Adresse?",
        "Ich habe A, N, N, A, Punkt, B, A, U, E, R, ät web Punkt D, E. Ist das richtig?",
    ]
    number = Story(
        GetPhoneNumberTask, "zéro six douze trente quatre cinquante six soixante dix huit", "oui", language="fr"
    )
    assert number.got == "+33612345678"


# --- spelling and correcting -------------------------------------------------------------------------------------


def test_an_address_may_come_in_parts_and_spelt() -> None:
    story = Story(GetEmailTask, "it's e r i k dot smith", "gmail dot com", "yes")
    assert story.got == "erik.smith@gmail.com" and "And what comes after the at sign?" in story.said


def test_a_number_may_come_in_parts() -> None:
    story = Story(GetPhoneNumberTask, "four one five five five five", "two six seven one", "yes")
    assert story.got == "+14155552671"
    assert "I have four one five five five five so far. Which digits come next?" in story.said


def test_a_day_may_come_before_its_time_and_its_half() -> None:
    story = Story(at_noon, "tomorrow", "at four", "in the afternoon", "yes")
    assert story.got == datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert story.said[1:3] == ["At what time?", "Do you mean four in the morning, or four in the afternoon?"]


def test_one_of_two_fridays() -> None:
    story = Story(at_noon, "next friday at noon", "the second one", "yes")
    assert story.got == datetime(2026, 12, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("make", "first", "correction", "value"),
    [
        (GetEmailTask, "erik at example dot com", "no, with a c", "eric@example.com"),
        (GetEmailTask, "erik at example dot com", "no, at gmail dot com", "erik@gmail.com"),
        (GetPhoneNumberTask, "415 555 2671", "no, the last two digits are four two", "+14155552642"),
        (at_noon, "tomorrow at 4 pm", "no, at five", datetime(2026, 11, 25, 17, tzinfo=UTC)),
        (at_noon, "tomorrow at 4 pm", "no, on thursday", datetime(2026, 11, 26, 16, tzinfo=UTC)),
    ],
)
def test_a_correction_at_the_read_back_is_read_back(make: Any, first: str, correction: str, value: Any) -> None:
    story = Story(make, first, correction, "yes")
    assert story.got == value, story
    assert sum(text.startswith("That's ") for text in story.said) == 2


def test_a_plain_no_asks_for_it_spelt() -> None:
    story = Story(GetEmailTask, "jon at example dot com", "no", "j o h n at example dot com", "yes")
    assert story.got == "john@example.com"
    assert "Sorry about that. What is the e-mail address? Please spell it." in story.said


def test_what_is_not_allowed_is_said_with_what_is() -> None:
    story = Story(lambda: at_noon(hours=(time(9), time(18))), "tomorrow at eight in the evening", "at five", "yes")
    assert story.got == datetime(2026, 11, 25, 17, tzinfo=UTC)
    assert story.said[1] == "It has to be between nine in the morning and six in the evening. What time would you like?"
    story = Story(lambda: at_noon(check=lambda when: "We are closed on Sundays." if when.weekday() == 6 else None),
                  "on sunday at noon", "on monday then", "yes")  # fmt: skip
    assert story.got == datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert story.said[1] == "We are closed on Sundays. What would you like instead?"


# --- not getting it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [GetEmailTask, GetPhoneNumberTask, at_noon, lambda: GetChoiceTask("Tea or milk?", ["tea", "milk"])],
)
def test_a_caller_may_decline(make: Any) -> None:
    story = Story(make, "I'd rather not say")
    assert isinstance(story.got, TaskDeclinedError) and "rather not say" in str(story.got), story


def test_a_caller_may_decline_at_the_read_back() -> None:
    assert isinstance(Story(GetEmailTask, "bob at gmail", "skip it please").got, TaskDeclinedError)


def test_what_is_required_is_asked_for_again() -> None:
    lines = ["I'd rather not", "what for", "fine, bob at gmail", "yes"]
    story = Story(lambda: GetEmailTask(required=True), *lines, model={"what for": "For the receipt."})
    assert story.got == "bob@gmail.com"
    assert "I'm afraid I need it to go on. What is your e-mail address?" in story.said
    (asked,) = [request for request in story.llm.requests if request.user_text == "what for" and request.text]
    assert [tool.name for tool in asked.tools][:2] == ["record_email", "confirm_email"]
    assert all(tool.name != "decline_email" for tool in asked.tools)


def test_too_many_attempts_end_it() -> None:
    lines = ["bob at gmail", "no", "rob at gmail", "no", "dob at gmail", "no"]
    story = Story(lambda: GetEmailTask(max_attempts=2), *lines)
    assert isinstance(story.got, TaskDeclinedError) and "too many attempts" in str(story.got)
    required = Story(lambda: GetEmailTask(max_attempts=2, required=True), *lines)
    assert isinstance(required.got, TaskDeclinedError)


def test_chatting_for_ever_ends_it_too() -> None:
    story = Story(lambda: GetEmailTask(max_attempts=1), "nice weather", "and the football", "my dog is ill", "oh well")
    assert isinstance(story.got, TaskDeclinedError)


def test_hanging_up_ends_it_without_a_value() -> None:
    for caller in (
        Caller().waits_for_words("What is your").hangs_up(),
        Caller().waits_for_agent().says("bob at gmail").waits_for_words("That's").hangs_up(),
        Caller().waits_for_agent().says("bob at gmail").waits_for_agent().says("yes").hangs_up(),
    ):
        for at_once in (True, False):
            caller = caller if at_once else _later(caller)
            story = Story(GetEmailTask, caller=caller, at_once=at_once)
            assert story.result.close_reason == "participant_disconnected"
            if not at_once:  # on_enter, which awaits it otherwise, ends with the session
                assert isinstance(story.got, SessionClosedError), story


def _later(caller: Caller) -> Caller:
    first = Caller().says("Please book it", at=1.0)
    first.steps += caller.steps
    return first


# --- the model's part --------------------------------------------------------------------------------------------


def test_a_question_in_between_is_answered_and_the_field_comes_back() -> None:
    model = {"what for": "We send the receipt there."}
    story = Story(GetEmailTask, "what for", "bob at gmail", "what for", "yes", model=model)
    assert story.got == "bob@gmail.com"
    assert "We send the receipt there. What is your e-mail address?" in story.said
    assert "We send the receipt there. So, B, O, B, at gmail dot com: is that right?" in story.said


def test_a_model_that_asks_itself_is_not_repeated() -> None:
    story = Story(GetEmailTask, "what for", "bob at gmail", "yes", model={"what for": "For the receipt. What is it?"})
    assert "For the receipt. What is it?" in story.said


def test_what_the_rules_cannot_read_the_model_records_and_it_is_read_back() -> None:
    model = {"the usual one": calls("record_email", value="Bob@Example.com"), "spot on": calls("confirm_email")}
    story = Story(GetEmailTask, "the usual one", "spot on mate", model=model)
    assert story.got == "bob@example.com"
    assert story.said[1] == "That's B, O, B, at example dot com. Is that right?"


def test_a_model_cannot_record_what_is_no_value() -> None:
    model = {"the usual one": [calls("record_email", value="no idea"), "Which one is that?"]}
    story = Story(GetEmailTask, "the usual one", "bob at gmail", "yes", model=model)
    assert story.got == "bob@gmail.com" and story.result.tools[0].is_error


def test_a_model_cannot_confirm_what_nobody_heard() -> None:
    model = {"hurry up": [calls("confirm_email"), "What is it?"]}
    story = Story(GetEmailTask, "hurry up", "bob at gmail", "yes", model=model)
    assert story.got == "bob@gmail.com" and story.result.tools[0].is_error
    both = {"the usual": [(calls("record_email", value="bob@gmail.com"), calls("confirm_email")), "What?"]}
    story = Story(GetEmailTask, "the usual", "yes", model=both)
    assert story.got == "bob@gmail.com" and story.result.tools[1].is_error, story


def test_a_model_may_decline_for_the_caller() -> None:
    model = {"my lawyer": calls("decline_email", reason="the caller has to ask a lawyer")}
    story = Story(GetEmailTask, "my lawyer says I must not", model=model)
    assert isinstance(story.got, TaskDeclinedError) and "lawyer" in str(story.got)


def test_a_model_writes_times_in_iso() -> None:
    model = {"zwölf": calls("record_datetime", value="2026-12-01T12:00")}
    story = Story(at_noon, "morgen in einer Woche um zwölf", "ja", model=model, language="de")
    assert story.got == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert story.said[1] == "Ich habe Dienstag, 1. Dezember, 12 Uhr. Ist das richtig?"


def test_without_a_model_it_asks_again() -> None:
    story = Story(lambda: GetEmailTask(llm=None), "what for", "bob at gmail", "yes")
    assert story.got == "bob@gmail.com"
    assert story.said[1] == "Sorry, I didn't get that. What is your e-mail address?"


def test_in_a_language_without_texts_the_model_speaks() -> None:
    def model(request: Any) -> Any:
        if "Read bob@example.com back" in request.instructions:
            return "ボブ アット エグザンプル ドット コム、よろしいですか?"
        return calls("confirm_email") if "はい" in request.user_text else "メールアドレスは何ですか?"

    story = Story(GetEmailTask, "bob@example.com です", "はい", model={...: model}, language="ja")
    assert story.got == "bob@example.com", story
    assert story.said[:2] == ["メールアドレスは何ですか?", "ボブ アット エグザンプル ドット コム、よろしいですか?"]


def test_examples_that_the_task_is_given_are_no_answers() -> None:
    examples = ChatContext.empty()
    examples.add_message(role="user", content="bob at example dot com")
    assert Story(lambda: GetEmailTask(chat_ctx=examples), "ann at example dot com", "yes").got == "ann@example.com"


def test_a_reply_that_the_application_asks_for_is_the_models() -> None:
    class Chatty(GetEmailTask):
        async def on_enter(self) -> None:
            await super().on_enter()
            await self.session.generate_reply(instructions="Say that it is for the receipt.")

    story = Story(Chatty, "ann at example dot com", "yes", model={...: "It is for the receipt."})
    assert story.got == "ann@example.com" and "It is for the receipt." in story.said, story


# --- turns and interruptions -------------------------------------------------------------------------------------


def test_a_yes_counts_only_for_what_was_heard() -> None:
    caller = Caller().waits_for_agent().says("john dot smith at gmail dot com")
    caller = caller.talks_over("yes of course that is right", after_word=3).waits_for_agent()
    caller = caller.says("yes").waits_for_agent()
    story = Story(GetEmailTask, caller=caller)
    assert story.got == "john.smith@gmail.com" and JOHN in story.said, story
    assert len([text for text in story.said if text.startswith("That's J")]) == 2, story


def test_a_correction_may_break_into_the_read_back() -> None:
    caller = Caller().waits_for_agent().says("erik at example dot com")
    caller = caller.talks_over("no no, with a c please", after_word=4).waits_for_agent().says("yes").waits_for_agent()
    story = Story(GetEmailTask, caller=caller)
    assert story.got == "eric@example.com", story


def test_a_number_with_pauses_is_one_turn() -> None:
    caller = Caller().waits_for_agent().says("four one five").says("five five five", after=1.3)
    caller = caller.says("two six seven one", after=1.3).waits_for_agent().says("yes").waits_for_agent()
    story = Story(lambda: GetPhoneNumberTask(region="US"), caller=caller)
    assert story.got == "+14155552671"
    assert story.result.turns[0] == "four one five five five five two six seven one", story


def test_digits_that_come_before_the_read_back_sounds_belong_to_the_number() -> None:
    caller = (
        Caller()
        .waits_for_agent()
        .says("plus four nine three oh one two three four five six")
        .says("seven eight", after=0.5)
    )
    caller = caller.waits_for_agent().says("yes").waits_for_agent()
    story = Story(GetPhoneNumberTask, caller=caller)
    assert story.got == "+493012345678", story


def test_asking_to_hear_it_again_costs_nothing() -> None:
    story = Story(lambda: GetEmailTask(max_attempts=1), "sorry?", "bob at gmail", "could you repeat that", "yes")
    assert story.got == "bob@gmail.com"
    assert story.said.count("What is your e-mail address?") == 2


def test_sure_is_no_answer() -> None:
    story = Story(GetEmailTask, "yeah sure", "bob at gmail", "yes")
    assert story.got == "bob@gmail.com" and story.said[1] == "Go ahead, please."


def test_two_tasks_of_a_kind_do_not_mix() -> None:
    answers: list[Any] = []

    class Twice(GetEmailTask):
        async def on_enter(self) -> None:
            if not answers:
                answers.append(await GetEmailTask(ask="And your work e-mail?"))
            await super().on_enter()

    story = Story(Twice, "ann at gmail", "yes", "bob at gmail", "yes")
    assert (answers, story.got) == (["ann@gmail.com"], "bob@gmail.com"), story


@pytest.mark.parametrize("inputs", [8, 12, 20, 28, 36, 44, 52, 60])
def test_a_new_owner_goes_on_where_the_call_was(inputs: int) -> None:
    lines = ["erik at example dot com", "no, with a c", "yes"]
    assert Story(GetEmailTask, *lines, at_once=False, forget_after=[inputs]).got == "eric@example.com"


def test_what_is_taken_back_or_denied_is_not_settled() -> None:
    def make() -> GetChoiceTask:
        return GetChoiceTask("Tea or coffee?", ["tea", "coffee"])

    story = Story(make, "tea, no, coffee", "coffee")
    assert story.got == "coffee" and story.said[1] == "Do you mean tea, or coffee?"
    assert Story(make, "anything but tea", model={"anything": calls("record_choice", value="coffee")}).got == "coffee"
    story = Story(lambda: GetYesNoTask("Shall I book it?"), "I don't mind", "yes")
    assert story.got is True and story.said[-2].endswith("Shall I book it?")


def test_who_would_rather_not_use_one_of_them_does_not_decline() -> None:
    story = Story(GetEmailTask, "I would rather not use my gmail", "ann at example dot com", "yes")
    assert story.got == "ann@example.com"
    for said in ("I'd rather not say", "I would rather not", "I'd prefer not to give it", "I'd rather not, thank you"):
        assert isinstance(Story(GetEmailTask, said).got, TaskDeclinedError), said


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_attempts"):
        GetEmailTask(max_attempts=0)
    with pytest.raises(ConfigurationError, match="no country"):
        GetPhoneNumberTask(region="Germany")
    with pytest.raises(ConfigurationError, match="hours"):
        GetDateTimeTask(hours=(time(18), time(9)))
    with pytest.raises(ConfigurationError, match="mode"):
        GetDateTimeTask(mode="century")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="two options"):
        GetChoiceTask("Tea?", ["tea"])


def test_own_turn_settings_hold() -> None:
    own = GetEmailTask(turn_handling={"endpointing": {"max_delay": 3.0}})
    assert own.turn_handling == {"expect": "email", "endpointing": {"max_delay": 3.0}}


def test_a_model_cannot_confirm_what_the_caller_did_not_hear_out() -> None:
    caller = Caller().waits_for_agent().says("john dot smith at gmail dot com")
    caller = caller.talks_over("oh hurry up will you", after_word=3).waits_for_agent()
    caller = caller.says("yes").waits_for_agent()
    story = Story(GetEmailTask, caller=caller, model={"hurry up": [calls("confirm_email"), "It is short."]})
    assert story.result.tools[0].is_error and story.got == "john.smith@gmail.com", story


def test_a_yes_to_a_read_back_is_answered_as_fast_as_a_whole_address() -> None:
    story = Story(GetEmailTask, "john dot smith at gmail dot com", "yes")
    assert story.got and story.result.longest_silence() < 1.0, story


def test_correcting_for_ever_ends_it() -> None:
    lines = ["bob at gmail", "no, rob at gmail", "no, dob at gmail"]
    story = Story(lambda: GetEmailTask(max_attempts=1), *lines)
    assert isinstance(story.got, TaskDeclinedError), story


def test_saying_it_once_more_is_a_yes_and_with_a_no_it_is_none() -> None:
    assert Story(GetEmailTask, "bob at gmail", "bob at gmail dot com").got == "bob@gmail.com"
    story = Story(GetEmailTask, "bob at gmail", "no, bob at gmail dot com", "b o p at gmail", "yes")
    assert story.got == "bop@gmail.com"
    assert "Sorry about that. What is the e-mail address? Please spell it." in story.said


def test_a_value_that_cannot_be_written_down_is_asked_for_again_and_not_for_ever() -> None:
    class Moody(Reader[str]):
        def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
            return Found(text) if "blue" in text else UNREAD

        def accept(self, text: str) -> Answer[str]:
            return Found(text) if "dark" in text else UNREAD

    class GetColourTask(FieldTask[str]):
        field, wanted = "colour", "the colour"

        def reader(self) -> Moody:
            return Moody()

    story = Story(lambda: GetColourTask(ask="Which colour?", confirm=False), "blue", "dark blue")
    assert story.got == "dark blue" and len(story.result.tools) == 2
    assert "Sorry, I didn't get that. Which colour?" in story.said


def test_a_field_of_ones_own_says_why_not_in_its_own_words() -> None:
    class Tables(Reader[str]):
        def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
            if "window" in text:
                return Refused("taken", text="The window table is taken.")
            return Found("bar") if "bar" in text else Partial("place") if "table" in text else UNREAD

    class GetTableTask(FieldTask[str]):
        field, wanted = "table", "the table"

        def reader(self) -> Tables:
            return Tables()

    story = Story(lambda: GetTableTask(ask="Window or bar?"), "a table", "at the window", "the bar then", "yes")
    assert story.got == "bar"
    assert story.said[:3] == ["Window or bar?", "Window or bar?", "The window table is taken. Window or bar?"], story
