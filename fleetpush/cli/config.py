"""``fleetpush config``: every setting, its value, and where that comes from."""

import difflib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.output import Output
from fleetpush.cli.settings import PREFIX, SETTINGS
from fleetpush.cli.settings_file import places
from fleetpush.cli.values import Ports
from fleetpush.cli.verb import Used, Verb


def config(
    ctx: typer.Context, *, format: flags.Format = "text", verbose: flags.Verbose = 0
) -> None:
    """Show every setting, its value, and where that comes from.

    A setting is a flag that FLEETPUSH_NAME in the environment, or fleetpush.toml, may give too. The file is
    the working directory's, else $XDG_CONFIG_HOME/fleetpush/fleetpush.toml; a table [deploy] in it is for
    that verb alone. Flags beat the environment, which beats the file.
    """
    output = Output(command="config", format=format, verbose=verbose)
    raise typer.Exit(guarded(output, lambda: _tell(ctx, output)))


def _tell(ctx: typer.Context, output: Output) -> int:
    rows: list[tuple[Used, list[str]]] = []
    for verb, used in _all_used(ctx.find_root()):
        verbs = next((verbs for known, verbs in rows if known == used), None)
        if verbs is None:
            rows.append((used, verbs := []))
        verbs.append(verb)
    order = list(SETTINGS)
    rows.sort(key=lambda row: order.index(row[0].setting.name))
    for text in _strangers():
        output.warn(text)
    path = Verb.settings_file(ctx).path
    document = {
        "file": str(path) if path else None,
        "settings": [_as_json(used, verbs) for used, verbs in rows],
    }
    looked = " or ".join(str(place) for place in places())
    lines = [f"file: {path or f'none ({looked})'}", "", *_table(rows)]
    output.tell(document, lines, 0)
    return 0


def _all_used(parent: Any) -> Iterator[tuple[str, Used]]:  # noqa: ANN401 - Typer keeps the types private
    """The settings of each verb, also of those in groups: ``inventory list``."""
    for name, command in parent.command.commands.items():
        if isinstance(command, Verb):
            for used in command.used(name, parent):
                yield _path(parent, name), used
        elif hasattr(command, "commands"):
            yield from _all_used(typer.Context(command, info_name=name, parent=parent))


def _path(parent: Any, name: str) -> str:  # noqa: ANN401
    return name if parent.parent is None else f"{parent.info_name} {name}"


def _strangers() -> Iterator[str]:
    """Variables that look like ours and that nobody reads: slips, most likely."""
    known = [setting.env for setting in SETTINGS.values()]
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            # The prefix that all share would make any two names alike.
            ours = [other.removeprefix(PREFIX) for other in known]
            near = difflib.get_close_matches(name.removeprefix(PREFIX), ours, n=1)
            yield f"nobody reads {name}" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")


def _as_json(used: Used, verbs: list[str]) -> dict[str, Any]:
    value = used.value
    if not isinstance(value, str | int | float | list | tuple | None):
        value = str(value)
    return {
        "name": used.setting.name,
        "value": value,
        "given": used.given,
        "source": used.source,
        "key": used.key or None,
        "env": used.setting.env,
        "verbs": verbs,
    }


def _table(rows: Sequence[tuple[Used, list[str]]]) -> Iterator[str]:
    cells = [("SETTING", "VALUE", "FROM", "VERBS")]
    cells += [
        (used.setting.name, _value(used), _source(used), ", ".join(verbs)) for used, verbs in rows
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(3)]
    for *row, verbs in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join([*padded, verbs])


def _value(used: Used) -> str:
    """As it would stand behind the flag."""
    shown = used.value if used.given is None else used.given
    match shown:
        case None | []:
            return "-"
        case bool():
            return "true" if shown else "false"
        case list():
            return " ".join(map(str, shown))
        case Ports():
            return f"{shown.first}-{shown.last}"
        case float():
            return f"{shown:g}s"  # the only measures that have a default are times
        case _:
            return str(shown)


def _source(used: Used) -> str:
    if used.source == "environment":
        return used.setting.env
    return f"file: {used.key}" if used.source == "file" else "default"
