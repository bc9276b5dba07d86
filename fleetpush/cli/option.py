"""How a flag is made: a parser whose complaint names the flag, and no default in its help."""

from collections.abc import Callable
from typing import Any

import typer


def parsed(function: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Makes ``function`` a parser whose ValueError is a usage error that names the flag."""

    def parse(value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return function(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse


def option(*names: str, **more: Any) -> Any:  # noqa: ANN401 - Typer's own signature
    return typer.Option(*names, show_default=False, **more)
