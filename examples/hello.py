"""A voice agent in fifteen lines. Talk with it: python examples/hello.py dev"""

from antiphon import Agent, AgentSession, JobContext, run


class Hello(Agent):
    async def on_enter(self) -> None:
        self.session.say("Hello! What can I do for you?")


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession()  # no models named: the local ones, without an account or a key
    await session.start(Hello(instructions="You are a friendly voice assistant. Answer in one short sentence."), ctx)


if __name__ == "__main__":
    run(entrypoint)
