"""Function tools: a Python function, its schema for the model, and what calling it may cause.

The schema comes from the type hints and the docstring, once, when the tool is made. Arguments that the model sends are
checked and converted by the same hints before the function is called.
"""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, Unpack, overload

import msgspec

from antiphon.errors import ConfigurationError, ToolError
from antiphon.kernel.events import Effectfulness, OnDuplicate, Retry
from antiphon.models.llm import ToolSpec
from antiphon.tools.docstrings import describe
from antiphon.tools.results import RESULT_LIMIT
from antiphon.tools.run_context import RunContext
from antiphon.tools.schema import REQUIRED, Arguments, without_nulls

F = TypeVar("F", bound=Callable[..., Any])
ARGUMENTS_LIMIT = 64_000
"""Characters of arguments that a model may send for one call."""


class ToolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ``function_tool`` may be told; see there."""

    name: str = ""
    description: str = ""
    effect: Effectfulness = "write"
    retry: Retry = "never"
    verify: Callable[..., Any] | None = None
    cancellable: bool = False
    raw_schema: dict[str, Any] | None = None
    timeout: float = 0.0
    on_duplicate: OnDuplicate = "allow"
    confirm: bool | Callable[[str], bool] = False
    redact: bool | Sequence[str] = False
    result_limit: int = RESULT_LIMIT
    filler: str = ""
    filler_after: float = 1.5


class GivenOptions(typing.TypedDict, total=False):
    """Keyword arguments of ``function_tool``: those of ``ToolOptions``."""

    name: str
    description: str
    effect: Effectfulness
    retry: Retry
    verify: Callable[..., Any] | None
    cancellable: bool
    raw_schema: dict[str, Any] | None
    timeout: float
    on_duplicate: OnDuplicate
    confirm: bool | Callable[[str], bool]
    redact: bool | Sequence[str]
    result_limit: int
    filler: str
    filler_after: float


class FunctionTool:
    """A tool a model can call. Made by ``@function_tool``; calling it calls the function. ``on_core``: it runs on the
    core lane, where no user code may run: tools of the framework's own that only wait."""

    on_core = False

    def __init__(self, function: Callable[..., Any], options: ToolOptions, owner: object = None) -> None:
        _check(options)
        self.function = function
        self.options = options
        self.owner = owner
        summary, described = describe(function)
        self.name = options.name or getattr(function, "__name__", type(function).__name__)
        self.description = options.description or summary
        self._context = ""
        self._arguments: Arguments | None = None
        raw = options.raw_schema
        if raw is None:
            self._arguments = Arguments(self.name, self._fields(), described)
            parameters = self._arguments.schema
        else:
            self.description = options.description or str(raw.get("description", summary))
            self.name = options.name or str(raw.get("name", self.name))
            parameters = raw.get("parameters", raw)
            wanted = inspect.signature(function).parameters
            self._context = next((name for name in ("ctx", "context") if name in wanted), "")
        self.spec = ToolSpec(name=self.name, description=self.description, parameters=parameters)

    def __repr__(self) -> str:
        return f"FunctionTool({self.name!r}, effect={self.options.effect!r})"

    def _fields(self) -> list[tuple[str, Any, Any]]:
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except NameError as exc:
            raise ConfigurationError(
                f"The type hints of tool {self.name!r} cannot be read: {exc}.",
                hint="Import the types it names at module level, not under TYPE_CHECKING.",
            ) from exc
        fields: list[tuple[str, Any, Any]] = []
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ConfigurationError(
                    f"Tool {self.name!r} takes *{parameter.name}, which a model cannot fill.",
                    hint="Name each parameter, or pass raw_schema=.",
                )
            if parameter.name == "self":
                continue
            hint = hints.get(parameter.name, Any)
            if (typing.get_origin(hint) or hint) is RunContext:
                self._context = parameter.name
                continue
            default = REQUIRED if parameter.default is parameter.empty else parameter.default
            fields.append((parameter.name, hint, default))
        return fields

    def parse(self, arguments: str) -> dict[str, Any]:
        """Arguments as keyword values. Raises ``ToolError`` with what is wrong, for the model to read."""
        if len(arguments) > ARGUMENTS_LIMIT:
            raise ToolError(
                f"The arguments of {self.name} are too long: {len(arguments):,} characters.",
                hint=f"Send {ARGUMENTS_LIMIT:,} at most.",
            )
        try:
            data = msgspec.json.decode(arguments or "{}")
        except (msgspec.DecodeError, RecursionError) as exc:
            raise ToolError(f"The arguments of {self.name} are not valid JSON: {exc}.") from exc
        if not isinstance(data, dict):
            raise ToolError(f"The arguments of {self.name} must be a JSON object.")
        data = without_nulls(data, self.spec.parameters)
        return data if self._arguments is None else self._arguments.convert(data)

    def bind(
        self, arguments: dict[str, Any], context: RunContext[Any], *, function: Callable[..., Any] | None = None
    ) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The callable and its keyword arguments, the context included where the function wants one. ``function``:
        another one of the same parameters (``verify``)."""
        kwargs: dict[str, Any] = {"raw_arguments": dict(arguments)} if self._arguments is None else dict(arguments)
        if self._context:
            kwargs[self._context] = context
        chosen = function or self.function
        return (chosen if self.owner is None else chosen.__get__(self.owner)), kwargs

    def __get__(self, owner: object, kind: type | None = None) -> FunctionTool:
        if owner is None:
            return self
        bound = copy.copy(self)
        bound.owner = owner
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self.function if self.owner is None else self.function.__get__(self.owner)
        return function(*args, **kwargs)


def _check(options: ToolOptions) -> None:
    """Raises ``ConfigurationError`` for options that mean nothing, alone or together."""
    for name, known in (
        ("effect", typing.get_args(Effectfulness)),
        ("retry", typing.get_args(Retry)),
        ("on_duplicate", typing.get_args(OnDuplicate)),
    ):
        if getattr(options, name) not in known:
            raise ConfigurationError(
                f"{name}={getattr(options, name)!r} is not known.", hint=f"Use {', '.join(map(repr, known))}."
            )
    if options.confirm and options.effect == "read":
        raise ConfigurationError(
            "confirm= is for tools that change something, and effect='read' says this one does not.",
            hint="Leave one of them out.",
        )
    if (options.retry == "verify") is not (options.verify is not None):
        raise ConfigurationError(
            "retry='verify' and verify= belong together.",
            hint="Pass verify=, a function of the same parameters that returns the earlier result, or None.",
        )


@overload
def function_tool(function: F) -> FunctionTool: ...


@overload
def function_tool(function: None = None, **options: Unpack[GivenOptions]) -> Callable[[F], FunctionTool]: ...


def function_tool(function: Callable[..., Any] | None = None, **options: Unpack[GivenOptions]) -> Any:
    """Make a function (or an ``Agent``'s method) a tool that the model can call.

    The name is the function's, the description its docstring, the parameters its type hints; a parameter of type
    ``RunContext`` gets the context of the call. A sync function runs in a thread.

    ``effect``: what a call may cause: ``read`` nothing (it may run ahead of the turn's commit), ``write`` the world (the
    safe default: at most once, after the turn is committed, and its result is kept whatever happens), ``terminal`` the
    end of the call (after the words before it were heard). ``retry``: what a new owner may do with a call that was
    under way when the old one died: ``never`` run it again, ``key`` (the tool passes ``ctx.idempotency_key`` on),
    ``verify`` (``verify``, a function of the same parameters, says first what came of it; ``None``: nothing yet),
    ``replay`` (safe to repeat, or made of ``ctx.step``). ``cancellable``: an interruption cancels it. ``timeout``:
    seconds until it counts as failed (0: the session's ``tool_timeout``). ``on_duplicate``: what becomes of the same
    call with the same arguments while this one runs: ``allow``, ``reject``, or ``join`` its result. ``confirm``: run it
    only after the caller has agreed to these very arguments; a function judges the caller's words instead of the
    built-in lists. ``redact``: these parameters (``True``: all) do not appear in logs. ``result_limit``: characters of
    the result that the model reads. ``filler``: said if the call takes longer than ``filler_after`` seconds.
    ``raw_schema``: a JSON Schema instead of type hints; the function then takes ``raw_arguments: dict`` (and ``ctx``
    where it wants one).
    """
    chosen = ToolOptions(**options)
    _check(chosen)

    def make(one: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(one, chosen)

    return make if function is None else make(function)


def find_function_tools(owner: object) -> list[FunctionTool]:
    """The tools defined as methods of ``owner``'s class, bound to it, in the order of definition. Raises
    ``ConfigurationError`` for a method without ``self``."""
    found: dict[str, FunctionTool] = {}
    for kind in reversed(type(owner).__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, FunctionTool):
                _check_method(kind, name, value.function)
                found[name] = value.__get__(owner, kind)
            elif name in found:
                del found[name]
    return list(found.values())


def _check_method(kind: type, name: str, function: Callable[..., Any]) -> None:
    """Its first parameter is the object it is a method of: under another name the model would be asked for it."""
    if isinstance(function, staticmethod):
        return
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None or (first.name != "self" and first.kind is not first.VAR_POSITIONAL):
        raise ConfigurationError(
            f"The first parameter of tool {name!r} of {kind.__name__} is {first.name if first else 'missing'}.",
            hint="Name it self.",
        )
