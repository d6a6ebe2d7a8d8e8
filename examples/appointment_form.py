"""Books an appointment: a form of ready tasks and one of its own, filled in by voice, with corrections and going back.

    python examples/appointment_form.py console                                       talk with it
    python examples/appointment_form.py console --text                                type instead
    python examples/appointment_form.py console --wav examples/appointment_callers/*.wav   a recorded caller

Needs: pip install 'antiphon[local,console,tasks]'.
"""

import re
from collections.abc import Sequence
from datetime import datetime, time

from antiphon import (
    Agent,
    AgentSession,
    FieldTask,
    GetChoiceTask,
    GetDateTimeTask,
    GetEmailTask,
    GetPhoneNumberTask,
    GetYesNoTask,
    JobContext,
    RunContext,
    TaskDeclinedError,
    TaskGroup,
    ToolResult,
    function_tool,
    run,
)
from antiphon.agents.fields.answer import UNREAD, Answer, Found, Reader

OPEN = (time(9), time(18))
INSTRUCTIONS = """You are the receptionist of a hair salon, open from nine in the morning to six in the evening.
When the caller wants an appointment, call book_appointment at once: it asks for everything that is needed.
Answer in one short sentence."""


class NameReader(Reader[str]):
    """Names: one to three words, after "my name is" or alone."""

    leads = re.compile(
        r"^((hi|hello|um|yes|sure|it's|it is|this is|i'm|i am|my name is|my name's|the name is)\b[\s,.]*)+", re.I
    )

    def read(self, text: str, tag: str, among: Sequence[str] = ()) -> Answer[str]:
        words = self.leads.sub("", text.strip()).strip(" .!").split()
        if not 1 <= len(words) <= 3 or not all(re.fullmatch(r"[^\W\d_][^\W\d_'’.-]*", word) for word in words):
            return UNREAD
        return Found(" ".join(words).title())


class GetNameTask(FieldTask[str]):
    """A field of our own: what it is called, who reads it, what is asked."""

    field = "name"
    wanted = "the caller's name"

    def __init__(self) -> None:
        super().__init__(ask="What is your name?", confirm=False)

    def reader(self) -> Reader[str]:
        return NameReader()


class Receptionist(Agent):
    """Fills in the form; ``calendar`` is what was booked."""

    def __init__(self) -> None:
        super().__init__(instructions=INSTRUCTIONS)
        self.calendar: list[dict[str, object]] = []

    async def on_enter(self) -> None:
        self.session.say("Hello, this is the salon. What can I do for you?")

    @function_tool
    async def book_appointment(self, ctx: RunContext) -> str | ToolResult:
        """Book an appointment. Asks the caller for everything."""
        form = appointment_form()
        try:
            answers = (await form).task_results
        except TaskDeclinedError as declined:
            return f"Not booked: {declined}"
        if not answers.pop("sure"):
            return "Not booked: the caller does not want it after all."
        number = await ctx.step("book", lambda: self.enter(answers))
        told = f"Your appointment is on {spoken(answers['when'])}, number {number}. Goodbye!"
        self.session.say(told)
        return ToolResult(told, reply_required=False)

    def enter(self, answers: dict[str, object]) -> int:
        """What takes effect: done once, after the caller's yes."""
        self.calendar.append(answers)
        return len(self.calendar)


def appointment_form() -> TaskGroup:
    """Name, phone or e-mail, day and time, and a last look at all of it."""
    form = TaskGroup()
    form.add(GetNameTask, id="name")
    form.add(lambda: GetChoiceTask("Shall we confirm it by phone or by e-mail?", ["phone", "e-mail"]), id="contact")
    form.add(GetPhoneNumberTask, id="number", when=lambda known: known.get("contact") == "phone")
    form.add(GetEmailTask, id="address", when=lambda known: known.get("contact") == "e-mail")
    form.add(lambda: GetDateTimeTask(hours=OPEN), id="when")
    form.add(
        lambda: GetYesNoTask(f"{form.results['name']}, on {spoken(form.results['when'])}. Shall I book it?"), id="sure"
    )
    return form


def spoken(when: datetime) -> str:
    return f"{when:%A}, {when:%B} {when.day}, at {when:%H:%M}"


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession()
    await session.start(Receptionist(), ctx)


if __name__ == "__main__":
    run(entrypoint)
