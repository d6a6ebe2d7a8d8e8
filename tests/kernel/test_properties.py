"""K1 to K8 over random calls: 7,000 of pure chaos, 2,000 with a faulty world, 1,000 with a change of owner midway."""

from __future__ import annotations

import random

import pytest

from antiphon.kernel.conversation import Conversation
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.state import KernelState
from tests.blocks import blocks
from tests.kernel.chaos import Chaos, ChaosRules
from tests.kernel.rules import Rules
from tests.kernel.shrink import story
from tests.kernel.world import World

PAIRS: set[tuple[str, str]] = set()


def judge(world: World, rules: Rules) -> None:
    try:
        world.run()
        rules.finish()
    except Exception as error:
        pytest.fail(story(world, error), pytrace=False)
    PAIRS.update(world.pairs)


@pytest.mark.parametrize("block", blocks(7))
def test_any_event_in_any_order(block: int) -> None:
    for seed in range(block * 1000, block * 1000 + 1000):
        world = Chaos(seed)
        judge(world, ChaosRules(world))


@pytest.mark.parametrize("block", blocks(5))
def test_a_world_where_everything_but_the_plane_may_fail(block: int) -> None:
    """Here silence is measured: never more than the policy allows while it is not the caller's move."""
    for seed in range(block * 200, block * 200 + 200):
        world = World(seed, plane_faults=False)
        judge(world, Rules(world))


@pytest.mark.parametrize("block", blocks(5))
def test_a_world_where_the_plane_fails_too(block: int) -> None:
    for seed in range(10_000 + block * 200, 10_000 + block * 200 + 200):
        world = World(seed)
        judge(world, Rules(world))


@pytest.mark.parametrize("block", blocks(5))
def test_amnesia_at_a_random_moment(block: int) -> None:
    """The process dies, its tasks with it; the state's bytes and the plane go on, and the call is finished."""
    for seed in range(20_000 + block * 200, 20_000 + block * 200 + 200):
        world = World(seed, plane_faults=False)
        world.at(random.Random(seed).uniform(0.0, world.length), world.takeover)
        judge(world, Rules(world))


@pytest.mark.parametrize("block", range(3))
def test_amnesia_where_the_plane_dies_too(block: int) -> None:
    """What the caller has not heard is made again, on a new line."""
    for seed in range(30_000 + block * 100, 30_000 + block * 100 + 100):
        world = World(seed, plane_faults=False)
        world.at(random.Random(seed).uniform(0.0, world.length), lambda world=world: world.takeover(lost=True))
        judge(world, Rules(world))


@pytest.mark.parametrize("block", range(3))
def test_going_on_from_the_conversation_alone(block: int) -> None:
    """Another build has the facts: who spoke, what was said, which calls are open."""
    for seed in range(40_000 + block * 100, 40_000 + block * 100 + 100):
        world = World(seed, plane_faults=False)
        world.at(random.Random(seed).uniform(0.0, world.length), lambda world=world: world.takeover(known=False))
        judge(world, Rules(world))


def test_facts_alone_give_the_conversation_at_every_step() -> None:
    for seed in range(60):
        world = World(seed)
        fold = Conversation()

        def check(world: World, event: object, effects: list[object], fold: Conversation = fold) -> None:
            for effect in effects:
                if type(effect).__name__ == "Record":
                    fold.apply(effect.fact)  # type: ignore[attr-defined]
            assert fold == world.kernel.state.conversation

        world.judges.append(check)  # type: ignore[arg-type]
        world.run()


def test_state_survives_being_written_out_at_every_step() -> None:
    for seed in range(40):
        world = World(seed)

        def reload(world: World, event: object, effects: object) -> None:
            again = Kernel.load(world.kernel.dump())
            assert again.state == world.kernel.state
            world.kernel = again

        world.judges.append(reload)
        judge(world, Rules(world))


def test_the_same_events_give_the_same_effects() -> None:
    for seed in range(40):
        world = World(seed)
        world.run()
        kernel, effects = Kernel(), []
        for event in world.tape:
            effects += kernel.step(event)
        assert effects == [effect for _, effect in world.effects]


def test_a_machine_writes_only_its_own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every handler is watched: the other machines' states are the same before and after it."""
    import msgspec

    from antiphon.kernel import kernel as router

    parts = [name for name, _ in router.MACHINES]

    def watched(name: str, handler: object) -> object:
        def call(state: object, cause: object, view: KernelState, out: object) -> None:
            before = {part: msgspec.msgpack.encode(getattr(view, part)) for part in parts if part != name}
            handler(state, cause, view, out)  # type: ignore[operator]
            for part, was in before.items():
                assert msgspec.msgpack.encode(getattr(view, part)) == was, f"{name} wrote {part} on {cause}"

        return call

    routes = {k: tuple((n, watched(n, h)) for n, h in v) for k, v in router.ROUTES.items()}
    monkeypatch.setattr(router, "ROUTES", routes)
    monkeypatch.setattr(router, "TIMER_ROUTES", {n: watched(n, h) for n, h in router.TIMER_ROUTES.items()})
    for seed in range(12):
        World(seed).run()
        Chaos(seed).run()


def test_report_of_what_was_reached(capsys: pytest.CaptureFixture[str]) -> None:
    """States in which each event was met, over the calls above (all of them where the whole file runs)."""
    for seed in range(150):
        for world in (Chaos(seed), World(seed)):
            world.run()
            PAIRS.update(world.pairs)
    states = sorted({state for state, _ in PAIRS})
    with capsys.disabled():
        print(f"\n(state, event) pairs reached: {len(PAIRS)}; states: {', '.join(states)}")
    for state in ("turn idle", "turn speaking", "turn pause", "speech on_air", "speech paused", "speech settling"):
        assert sum(1 for s, _ in PAIRS if s == state) >= 25, state
