"""Function tools: a Python function, its schema for the model, and what calling it may cause.

The schema comes from the type hints (msgspec's JSON Schema) and the docstring. Arguments that the model sends are
checked and converted by the same hints before the function is called.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

from antiphon.errors import ConfigurationError, ToolError
from antiphon.kernel.events import Effectfulness, Retry
from antiphon.models.llm import ToolSpec
from antiphon.tools.docstrings import describe
from antiphon.tools.run_context import RunContext

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__antiphon_tool__"


class ToolOptions(msgspec.Struct, frozen=True):
    """``effect``: what a call may cause: ``read`` nothing (it may run ahead of the turn's commit), ``write`` the world
    (the safe default: at most once, after the turn is committed), ``terminal`` the end of the call (after the words
    before it were heard). ``retry``: what a new owner may do with a call that was under way when the old one died."""

    name: str = ""
    description: str = ""
    effect: Effectfulness = "write"
    retry: Retry = "never"
    cancellable: bool = False
    raw_schema: dict[str, Any] | None = None


class FunctionTool:
    """A tool a model can call. Made by ``@function_tool``; calling it calls the function."""

    def __init__(self, function: Callable[..., Any], options: ToolOptions, owner: object = None) -> None:
        self.function = function
        self.options = options
        self.owner = owner
        summary, described = describe(function)
        self.name = options.name or getattr(function, "__name__", type(function).__name__)
        self.description = options.description or summary
        self._context: str | None = None
        self._fields: type[msgspec.Struct] | None = None
        if options.raw_schema is None:
            self._fields = self._arguments_type()
            parameters = _schema(self._fields, described)
        else:
            self.description = options.description or str(options.raw_schema.get("description", summary))
            self.name = options.name or str(options.raw_schema.get("name", self.name))
            parameters = options.raw_schema.get("parameters", options.raw_schema)
        self.spec = ToolSpec(name=self.name, description=self.description, parameters=parameters)

    def __repr__(self) -> str:
        return f"FunctionTool({self.name!r}, effect={self.options.effect!r})"

    def _arguments_type(self) -> type[msgspec.Struct]:
        try:
            hints = typing.get_type_hints(self.function, include_extras=True)
        except NameError as exc:
            raise ConfigurationError(
                f"The type hints of tool {self.name!r} cannot be read: {exc}.",
                hint="Import the types it names at module level, not under TYPE_CHECKING.",
            ) from exc
        fields: list[Any] = []
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
            if parameter.default is parameter.empty:
                fields.append((parameter.name, hint))
            else:
                fields.append((parameter.name, hint, parameter.default))
        return msgspec.defstruct(f"{self.name}_arguments", fields, kw_only=True, forbid_unknown_fields=True)

    def parse(self, arguments: str) -> dict[str, Any]:
        """Arguments as keyword values. Raises ``ToolError`` with what is wrong, for the model to read."""
        try:
            data = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError as exc:
            raise ToolError(f"The arguments of {self.name} are not valid JSON: {exc}.") from exc
        if not isinstance(data, dict):
            raise ToolError(f"The arguments of {self.name} must be a JSON object.")
        if self._fields is None:
            return data
        try:
            made = msgspec.convert(data, self._fields, strict=False)
        except msgspec.ValidationError as exc:
            raise ToolError(f"The arguments of {self.name} do not fit: {exc}.") from exc
        return {name: getattr(made, name) for name in self._fields.__struct_fields__}

    def bind(self, arguments: dict[str, Any], context: RunContext[Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
        """The callable and its keyword arguments, the context included where the function wants one."""
        kwargs = dict(arguments)
        if self._fields is None:
            kwargs = {"raw_arguments": dict(arguments)}
            wanted = inspect.signature(self.function).parameters
            if "context" in wanted:
                kwargs["context"] = context
            elif "ctx" in wanted:
                kwargs["ctx"] = context
        elif self._context is not None:
            kwargs[self._context] = context
        function = self.function if self.owner is None else self.function.__get__(self.owner)
        return function, kwargs

    def __get__(self, owner: object, kind: type | None = None) -> FunctionTool:
        if owner is None:
            return self
        return FunctionTool(self.function, self.options, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self.function if self.owner is None else self.function.__get__(self.owner)
        return function(*args, **kwargs)


def _schema(fields: type[msgspec.Struct], described: dict[str, str]) -> dict[str, Any]:
    try:
        schemas, components = msgspec.json.schema_components([fields], ref_template="#/$defs/{name}")
    except TypeError as exc:
        raise ConfigurationError(
            f"A parameter type of tool {fields.__name__.removesuffix('_arguments')!r} has no JSON form: {exc}.",
            hint="Use str, int, float, bool, Literal, Enum, list, dict, dataclasses, or pass raw_schema=.",
        ) from exc
    root = components.pop(schemas[0]["$ref"].rsplit("/", 1)[1])
    root.pop("title", None)
    for name, text in described.items():
        if name in root["properties"] and text:
            root["properties"][name].setdefault("description", text)
    if components:
        root["$defs"] = components
    result: dict[str, Any] = root
    return result


@overload
def function_tool(function: F) -> FunctionTool: ...


@overload
def function_tool(
    function: None = None,
    *,
    name: str = "",
    description: str = "",
    effect: Effectfulness = "write",
    retry: Retry = "never",
    cancellable: bool = False,
    raw_schema: dict[str, Any] | None = None,
) -> Callable[[F], FunctionTool]: ...


def function_tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str = "",
    description: str = "",
    effect: Effectfulness = "write",
    retry: Retry = "never",
    cancellable: bool = False,
    raw_schema: dict[str, Any] | None = None,
) -> FunctionTool | Callable[[F], FunctionTool]:
    """Make a function (or an ``Agent``'s method) a tool that the model can call.

    The name is the function's, the description its docstring, the parameters its type hints; a parameter of type
    ``RunContext`` gets the context of the call. ``raw_schema``: a JSON Schema instead; the function then takes
    ``raw_arguments: dict`` (and ``ctx`` where it wants one). A sync function runs in a thread.
    """
    if effect not in ("read", "write", "terminal"):
        raise ConfigurationError(f"effect={effect!r} is not known.", hint="Use 'read', 'write' or 'terminal'.")
    options = ToolOptions(name, description, effect, retry, cancellable, raw_schema)

    def make(one: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(one, options)

    return make if function is None else make(function)


def find_function_tools(owner: object) -> list[FunctionTool]:
    """The tools defined as methods of ``owner``'s class, bound to it, in the order of definition."""
    found: dict[str, FunctionTool] = {}
    for kind in reversed(type(owner).__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, FunctionTool):
                found[name] = value.__get__(owner, kind)
            elif name in found:
                del found[name]
    return list(found.values())
