"""Commands with many options: a request is a frozen dataclass, and its fields are the options.

So an option is written once: its name, type, default and help stand in one place, and
the function that acts gets one value instead of thirty arguments.
"""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import typer

from dataflare_cli.commands.context import Environment

_Request = TypeVar("_Request")


def option(*names: str, help: str, **more: Any) -> Any:  # noqa: A002 - Typer's word for it
    """Describe an option; stands in `Annotated` beside the field's type."""
    # Files are opened by those who say what is wrong with them.
    return typer.Option(*names, help=help, readable=False, **more)


def argument(*, help: str, **more: Any) -> Any:  # noqa: A002 - Typer's word for it
    """Describe a positional argument; stands in `Annotated` beside the field's type."""
    return typer.Argument(help=help, readable=False, **more)


def command_of(
    request: type[_Request], act: Callable[[Environment, _Request], None]
) -> Callable[..., None]:
    """Return a function Typer takes as a command; its help is the request's docstring."""

    def command(ctx: typer.Context, **given: Any) -> None:
        ctx.obj.from_settings = {
            name
            for name in given
            if (source := ctx.get_parameter_source(name)) is not None
            and source.name == "DEFAULT_MAP"
        }
        act(ctx.obj, request(**given))

    hints = get_type_hints(request, include_extras=True)
    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    ]
    for each in _own_first(request):
        default = inspect.Parameter.empty if each.default is dataclasses.MISSING else each.default
        parameters.append(
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=hints[each.name],
            )
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__doc__ = inspect.cleandoc(request.__doc__ or "")
    return command


def _own_first(request: type) -> "list[dataclasses.Field[Any]]":
    """Return a request's fields; what it shares with others comes after what is its own."""

    def place(each: "dataclasses.Field[Any]") -> int:
        homes = [each.name in inspect.get_annotations(home) for home in request.__mro__]
        return homes.index(True)

    return sorted(dataclasses.fields(request), key=place)
