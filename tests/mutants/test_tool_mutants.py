"""Each rule for tools broken on purpose, in one place: the scenario that tells of it must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from antiphon.errors import ToolError
from antiphon.kernel import events, prompt, tool_calls, tools
from antiphon.session import argument_mask, tool_gate, tool_host, tool_running, tool_sets, user_code
from antiphon.testing import SimulationStuckError
from antiphon.tools import call_control, function_tool, policy, results
from antiphon.tools.mcp import connection, servers
from tests.scenarios import test_mcp_faults as mcp
from tests.scenarios import test_tool_effects as effects
from tests.scenarios import test_tool_faults as faults
from tests.tools import mcp_peer

Patch = pytest.MonkeyPatch


def unchecked(patch: Patch) -> None:
    def parse(self: Any, arguments: str) -> dict[str, Any]:
        import json

        try:
            data: dict[str, Any] = json.loads(arguments)
        except ValueError:
            return {"day": arguments}
        return {"day": data.get("day")}

    patch.setattr(function_tool.FunctionTool, "parse", parse)


def no_length(patch: Patch) -> None:
    patch.setattr(function_tool, "ARGUMENTS_LIMIT", 10**9)


def results_of_any_length(patch: Patch) -> None:
    patch.setattr(tool_running, "result_text", lambda value, limit: results.result_text(value, limit=10**9))


def bytes_as_they_come(patch: Patch) -> None:
    patch.setattr(results, "_refuse", lambda value: str(value))


def errors_in_full(patch: Patch) -> None:
    real = tool_running.run

    async def told(*args: Any) -> Any:
        try:
            return await real(*args)
        except RuntimeError as exc:
            raise ToolError(str(exc)) from exc

    patch.setattr(user_code, "run", told)


def no_deadline(patch: Patch) -> None:
    patch.setattr(tools, "await_end", lambda run, view, out: None)


def nothing_after_the_end(patch: Patch) -> None:
    patch.setattr(tools.ToolsState, "detached", lambda self: set())


def any_words_are_a_yes(patch: Patch) -> None:
    patch.setattr(tool_gate, "says_yes", lambda text, language: True)


def arguments_do_not_matter(patch: Patch) -> None:
    patch.setattr(tool_gate, "same", lambda one, other: True)


def nobody_has_to_ask(patch: Patch) -> None:
    patch.setattr(tool_gate, "answer_to", lambda *args: "yes")


def every_call_is_another(patch: Patch) -> None:
    patch.setattr(tools.ToolsState, "same", lambda self, run: None)


def running_tools_are_not_mentioned(patch: Patch) -> None:
    patch.setattr(prompt, "PENDING", "")


def steps_are_forgotten(patch: Patch) -> None:
    real = tool_host.CallHost.step

    async def again(self: Any, name: str, function: Any) -> Any:
        self._shell.kernel.state.conversation.steps.clear()
        return await real(self, name, function)

    patch.setattr(tool_host.CallHost, "step", again)


def keys_are_new_each_time(patch: Patch) -> None:
    real = tools.start

    def fresh(run: Any, view: Any, out: Any, **options: Any) -> None:
        run.key = f"{view.epoch}"
        real(run, view, out, **options)

    from antiphon.kernel import tool_ends

    patch.setattr(tool_ends, "start", fresh)


def nobody_verifies(patch: Patch) -> None:
    async def run(tool: Any, arguments: Any, context: Any) -> Any:
        context.resumed = False
        return await tool_running.run(tool, arguments, context)

    patch.setattr(user_code, "run", run)


def progress_is_not_told(patch: Patch) -> None:
    real = events.ToolProgress
    patch.setattr(tool_host, "ToolProgress", lambda **fields: real(**{**fields, "tell": False}))


def late_results_are_not_told(patch: Patch) -> None:
    patch.setattr(tool_calls, "_tell", lambda run, reply, out: None)


def no_filler(patch: Patch) -> None:
    patch.setattr(tool_host.CallHost, "_say", lambda self, text, said: None)


def hanging_up_is_like_any_write(patch: Patch) -> None:
    real = function_tool.ToolOptions

    def options(**given: Any) -> Any:
        return real(**{**given, "effect": "write"})

    patch.setattr(call_control, "ToolOptions", options)


def silence_before_hanging_up(patch: Patch) -> None:
    async def end(self: Any, ctx: Any) -> None:
        ctx.session.shutdown(reason="agent_hung_up")

    patch.setattr(call_control.EndCallTool, "_end", end)


def the_policy_is_open_when_it_fails(patch: Patch) -> None:
    patch.setattr(tool_gate, "Verdict", lambda kind, reason="": policy.Verdict("allow", reason))


def nothing_is_masked(patch: Patch) -> None:
    patch.setattr(argument_mask.ArgumentMask, "_mask", lambda self, value: value)


def sync_tools_on_the_loop(patch: Patch) -> None:
    async def here(function: Any, **kwargs: Any) -> Any:
        value = function(**kwargs)
        return await value if hasattr(value, "__await__") else value

    patch.setattr(tool_running, "run_off_loop", here)


def sets_are_never_closed(patch: Patch) -> None:
    async def nothing(self: Any, one: Any) -> None:
        return None

    patch.setattr(tool_sets.ToolSets, "_close_one", nothing)


def sets_are_waited_for(patch: Patch) -> None:
    async def forever(self: Any) -> None:
        import asyncio

        await asyncio.wait(list(self._setting_up.values()))

    patch.setattr(tool_sets.ToolSets, "settle", forever)


def lost_calls_are_made_again(patch: Patch) -> None:
    real = connection.Connection._connected

    async def connected(self: Any, until: float) -> Any:
        client, link = await real(self, until)
        link.refused = True
        return client, link

    patch.setattr(connection.Connection, "_connected", connected)


def servers_have_all_the_time(patch: Patch) -> None:
    real = connection.Connection.call

    async def call(self: Any, tool: str, arguments: Any, *, timeout: float, progress: Any) -> Any:
        return await real(self, tool, arguments, timeout=1_000.0, progress=progress)

    patch.setattr(connection.Connection, "call", call)


def servers_are_waited_for(patch: Patch) -> None:
    real = servers.MCPServer.__init__

    def init(self: Any, **options: Any) -> None:
        real(self, **{**options, "wait": 30.0})

    patch.setattr(servers.MCPServer, "__init__", init)


def one_try_to_connect(patch: Patch) -> None:
    patch.setattr(connection, "FIRST_RETRY", 10_000.0)


def outages_are_not_told(patch: Patch) -> None:
    patch.setattr(servers.MCPServer, "_down", lambda self, error: None)


def deaths_go_unnoticed(patch: Patch) -> None:
    patch.setattr(mcp_peer, "watched", lambda transport, link: transport)


def all_progress_is_passed_on(patch: Patch) -> None:
    patch.setattr(servers, "PROGRESS_EVERY", 0.0)


def each_notice_is_a_look(patch: Patch) -> None:
    patch.setattr(connection, "COALESCE", 0.0)


def all_schemas_are_taken(patch: Patch) -> None:
    patch.setattr(servers, "MAX_SCHEMA", 10**9)


def every_hint_is_believed(patch: Patch) -> None:
    real = servers.MCPServer.__init__

    def init(self: Any, **options: Any) -> None:
        real(self, **{**options, "trust": True})

    patch.setattr(servers.MCPServer, "__init__", init)


def everything_is_offered(patch: Patch) -> None:
    patch.setattr(servers.MCPServer, "_wanted", lambda self, name: True)


def errors_are_results(patch: Patch) -> None:
    real = connection.Connection.call

    async def call(self: Any, *args: Any, **options: Any) -> Any:
        result = await real(self, *args, **options)
        result.is_error = False
        return result

    patch.setattr(connection.Connection, "call", call)


def closing_does_not_wait_for_writes(patch: Patch) -> None:
    patch.setattr(connection, "DRAIN", 0.0)


MUTANTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (unchecked, faults.arguments_that_are_not_json_do_not_reach_the_tool),
    (unchecked, faults.arguments_that_do_not_fit_do_not_reach_the_tool),
    (no_length, faults.arguments_that_are_too_long_do_not_reach_the_tool),
    (results_of_any_length, faults.five_megabytes_are_cut),
    (bytes_as_they_come, faults.bytes_are_refused),
    (errors_in_full, faults.an_error_of_a_tool_is_told_without_its_secrets),
    (no_deadline, faults.a_tool_that_hangs_has_an_end),
    (nothing_after_the_end, faults.a_tool_that_closes_the_session_is_recorded_all_the_same),
    (nothing_after_the_end, faults.a_write_that_runs_when_the_caller_hangs_up_is_recorded),
    (any_words_are_a_yes, effects.an_unclear_answer_is_no_yes),
    (arguments_do_not_matter, effects.a_yes_is_not_for_other_arguments),
    (nobody_has_to_ask, effects.a_model_that_does_not_wait_for_the_answer_is_stopped),
    (nobody_has_to_ask, effects.a_yes_counts_once),
    (every_call_is_another, effects.the_same_call_while_it_runs_is_made_once),
    (running_tools_are_not_mentioned, effects.a_model_asked_while_a_tool_runs_reads_that_it_runs),
    (steps_are_forgotten, effects.what_was_paid_is_not_paid_again_by_a_new_owner),
    (keys_are_new_each_time, effects.the_key_is_the_same_for_a_new_owner),
    (nobody_verifies, effects.what_took_effect_is_verified_by_a_new_owner),
    (progress_is_not_told, effects.progress_frees_the_conversation_and_the_result_is_told),
    (late_results_are_not_told, effects.progress_frees_the_conversation_and_the_result_is_told),
    (no_filler, effects.a_filler_is_said_while_a_tool_takes_its_time),
    (hanging_up_is_like_any_write, effects.hanging_up_does_not_happen_where_the_caller_breaks_in),
    (silence_before_hanging_up, effects.hanging_up_without_a_word_says_one),
    (the_policy_is_open_when_it_fails, effects.a_policy_decides_before_a_tool_runs),
    (nothing_is_masked, effects.secret_arguments_are_not_in_the_log),
    (sync_tools_on_the_loop, effects.sync_tools_do_not_run_on_the_loop),
    (sets_are_never_closed, effects.toolsets_are_set_up_offered_changed_and_closed),
    (sets_are_waited_for, effects.a_toolset_that_fails_or_is_late_costs_only_its_tools),
    (lost_calls_are_made_again, mcp.a_server_killed_during_a_call_is_not_called_again),
    (servers_have_all_the_time, mcp.a_server_that_never_answers_costs_its_time_limit),
    (servers_have_all_the_time, mcp.a_server_that_answers_another_id_has_not_answered),
    (servers_are_waited_for, mcp.a_server_that_is_slow_at_start_does_not_delay_the_first_word),
    (one_try_to_connect, mcp.a_server_that_is_absent_is_reported_and_joins_when_it_comes),
    (outages_are_not_told, mcp.a_server_that_is_absent_is_reported_and_joins_when_it_comes),
    (outages_are_not_told, mcp.a_server_whose_list_of_tools_is_not_valid_has_none),
    (deaths_go_unnoticed, mcp.a_server_killed_between_two_calls_is_there_for_the_second),
    (all_progress_is_passed_on, mcp.a_flood_of_progress_is_thinned),
    (each_notice_is_a_look, mcp.a_flood_of_change_notices_is_one_look),
    (all_schemas_are_taken, mcp.tools_that_no_model_can_take_are_left_out),
    (results_of_any_length, mcp.five_megabytes_from_a_server_are_cut),
    (every_hint_is_believed, mcp.hints_of_a_stranger_count_only_with_trust),
    (everything_is_offered, mcp.what_is_offered_and_how_is_for_the_user_to_say),
    (errors_are_results, mcp.errors_of_a_server_are_what_the_model_reads),
    (progress_is_not_told, mcp.progress_may_free_the_conversation),
    (closing_does_not_wait_for_writes, mcp.a_write_of_a_server_outlives_the_session),
]


@pytest.mark.parametrize(("mutate", "scenario"), MUTANTS, ids=[f"{m.__name__}-{s.__name__}" for m, s in MUTANTS])
def test_the_scenario_fails_without_its_rule(
    mutate: Callable[[Patch], None], scenario: Callable[[], None], monkeypatch: Patch
) -> None:
    mutate(monkeypatch)
    with pytest.raises((AssertionError, SimulationStuckError)):
        scenario()
