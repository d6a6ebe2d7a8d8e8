"""A front desk that finds out what the caller needs and hands over to one of three specialists, each with its own tool.

    python examples/triage.py console                                       talk with it
    python examples/triage.py console --text                                type instead
    python examples/triage.py console --wav examples/triage_callers/*.wav   recorded callers

Needs: pip install 'antiphon[local,console]'. What was said goes along to billing and repairs; sales gets the last turn. Each
specialist can hand back to the desk, which goes on as it was left.
"""

from antiphon import Agent, AgentSession, ContextPolicy, EndCallTool, Handoff, JobContext, function_tool, run

STYLE = "You are on the telephone. Answer in one short sentence, without lists."


class Desk(Agent):
    """Finds out which department it is."""

    def __init__(self) -> None:
        super().__init__(
            instructions=f"{STYLE} You are the front desk of a telephone company. You solve nothing yourself. When the caller "
            "says what they need, call billing for bills and payments, repairs for broken lines or internet, or sales for "
            "new contracts.",
            tools=[EndCallTool()],
        )

    async def on_enter(self) -> None:
        self.session.say("Good day, this is the front desk. How can I help?")

    @function_tool(effect="read")
    async def billing(self) -> Handoff:
        """The caller asks about a bill or a payment."""
        return Handoff(Billing(self), reason="a question about a bill")

    @function_tool(effect="read")
    async def repairs(self) -> Handoff:
        """The caller's line, telephone or internet is broken."""
        return Handoff(Repairs(self), reason="something is broken")

    @function_tool(effect="read")
    async def sales(self) -> Handoff:
        """The caller wants a new contract or a better one."""
        return Handoff(Sales(self), reason="wants a contract")


class Specialist(Agent):
    """What the three have in common: a greeting, and the way back to the desk."""

    greeting = ""

    def __init__(self, desk: Desk, job: str, context: ContextPolicy | None = None) -> None:
        super().__init__(instructions=f"{STYLE} {job}", context=context)
        self.desk = desk

    async def on_enter(self) -> None:
        self.session.say(self.greeting)

    @function_tool(effect="read")
    async def front_desk(self) -> Agent:
        """The caller needs another department."""
        return self.desk


class Billing(Specialist):
    greeting = "Billing here. Which month is your question about?"

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, "You answer questions about bills. Call amount_due with the month that the caller names."
        )

    @function_tool(effect="read")
    async def amount_due(self, month: str) -> str:
        """What the caller has to pay for a month."""
        return f"For {month} 29 euros and 90 cents are due."


class Repairs(Specialist):
    greeting = "Repairs here. Since when is it broken?"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, "You help with broken lines. When you know since when, call test_line.")

    @function_tool(effect="read", filler="I am testing your line.")
    async def test_line(self, broken_since: str) -> str:
        """Measure the caller's line."""
        return "The line is fine. The caller should switch the router off and on."


class Sales(Specialist):
    greeting = "Sales here. Is it for a mobile or a landline?"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, "You sell contracts. Call offer with what the caller wants.", ContextPolicy.last(1))

    @function_tool(effect="read")
    async def offer(self, product: str) -> str:
        """The contract that fits."""
        return f"{product}: 19 euros a month, one month's notice."


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession()
    await session.start(Desk(), ctx)


if __name__ == "__main__":
    run(entrypoint)
