"""The coffee counter: an agent that takes orders by a tool and reads each one back. Run it: see demo.py, or

python examples/coffee/agent.py dev        in a browser
python examples/coffee/agent.py console    in the terminal
"""

from __future__ import annotations

import json

from orders import Drink, Milk, Order, Roast, Shots, Size, Sugar

from antiphon import (
    Agent,
    AgentSession,
    ChatContext,
    FunctionCall,
    FunctionCallOutput,
    JobContext,
    RunContext,
    function_tool,
    run,
)

INSTRUCTIONS = """\
You take orders at a coffee counter. Every customer orders one drink.
When you hear an order, call place_order with exactly what this customer said; leave out what was not said.
If no drink was named, ask for it. Otherwise answer in one short sentence."""

EXAMPLES = (
    (
        "Hi, a double shot drip coffee please, small, with soy milk.",
        Order("drip coffee", size="small", shots="double", milk="soy milk"),
    ),
    ("Can I get a light roast espresso?", Order("espresso", roast="light")),
)
"""Two orders as the model shall take them: small models follow examples better than rules."""


class CoffeeCounter(Agent):
    """Takes orders; the session's ``userdata`` is the list of those taken."""

    def __init__(self) -> None:
        super().__init__(instructions=INSTRUCTIONS, chat_ctx=examples())

    async def on_enter(self) -> None:
        self.session.say("Welcome to the coffee counter. What can I get you?")

    @function_tool
    async def place_order(
        self,
        ctx: RunContext[list[Order]],
        drink: Drink,
        size: Size | None = None,
        roast: Roast | None = None,
        shots: Shots | None = None,
        milk: Milk | None = None,
        sugar: Sugar | None = None,
    ) -> str:
        """The customer orders a drink."""
        order = Order(drink, size, roast, shots, milk, sugar)
        ctx.userdata.append(order)
        return read_back(order)


def read_back(order: Order) -> str:
    """The tool's result, and what the customer hears."""
    return f"{order.spoken().capitalize()}, coming right up."


def examples() -> ChatContext:
    """``EXAMPLES`` as a conversation that the model reads before the real one."""
    context = ChatContext.empty()
    for number, (said, order) in enumerate(EXAMPLES):
        context.add_message(role="user", content=said)
        call = f"example_{number}"
        arguments = json.dumps(order.slots())
        context.items.append(FunctionCall(id=f"{call}_call", call_id=call, name="place_order", arguments=arguments))
        output = read_back(order)
        context.items.append(FunctionCallOutput(id=f"{call}_output", call_id=call, name="place_order", output=output))
    return context


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession[list[Order]](userdata=[])
    await session.start(CoffeeCounter(), ctx)


if __name__ == "__main__":
    run(entrypoint)
