"""``fleetpush inventory``: what the inventory says, before anything is done by it."""

import difflib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.help_page import EPILOG, SHOWN
from fleetpush.cli.option import option
from fleetpush.cli.output import Output
from fleetpush.cli.verb import Verb
from fleetpush.errors import InputError
from fleetpush.inventory.secret import is_secret_name

if TYPE_CHECKING:  # it brings jinja2, which --help does without
    from fleetpush.inventory.model import Host, Inventory

Form = Annotated[
    Literal["text", "json", "yaml"],
    option(
        "-o",
        "--output",
        help="text, or json or yaml as ansible-inventory has them.",
        rich_help_panel=SHOWN,
    ),
]

inventory = typer.Typer(
    name="inventory",
    help="What the inventory says: hosts, groups and variables.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@inventory.command("list", epilog=EPILOG, cls=Verb)
def list_hosts(
    *,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    format: Form = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """List the hosts with their groups; -o json and yaml give the whole inventory, which -i reads again."""
    from fleetpush.inventory import written  # noqa: PLC0415 - help and the other verbs do without

    def tell(output: Output, found: "Inventory", hosts: "list[Host]") -> None:
        width = max(len(host.name) for host in hosts)
        output.tell_as_is(
            lambda: written.as_listing(found, hosts),
            lambda: written.as_tree(found, hosts).splitlines(),
            lambda: [f"{host.name:{width}}  {', '.join(host.groups)}" for host in hosts],
        )

    _tell("inventory list", (inventories, limit, extra_vars, format, verbose), tell)


@inventory.command(epilog=EPILOG, cls=Verb)
def graph(
    group: Annotated[str, typer.Argument(metavar="[GROUP]", help="From this group down.")] = "all",
    *,
    inventories: flags.Inventories,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    format: Form = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """Draw the groups with their children and hosts."""
    from fleetpush.inventory import written  # noqa: PLC0415 - as above

    def tell(output: Output, found: "Inventory", hosts: "list[Host]") -> None:
        output.tell_as_is(
            lambda: written.as_groups(found, hosts, group),
            lambda: written.as_yaml(written.as_groups(found, hosts, group)).splitlines(),
            lambda: written.graph(found, hosts, group),
        )

    _tell("inventory graph", (inventories, limit, extra_vars, format, verbose), tell)


@inventory.command(epilog=EPILOG, cls=Verb)
def host(
    name: Annotated[str, typer.Argument(metavar="HOST", help="A host's name in the inventory.")],
    *,
    inventories: flags.Inventories,
    extra_vars: flags.ExtraVars = None,
    format: Form = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """Show a host's variables, what they come to, and the file and line of each.

    Text hides passwords; -o json and yaml give the variables as they are written, as ansible-inventory does.
    """
    from fleetpush.inventory import written  # noqa: PLC0415 - as above

    def tell(output: Output, found: "Inventory", hosts: "list[Host]") -> None:
        if name not in found.hosts:
            near = difflib.get_close_matches(name, found.hosts, n=1)
            hint = f": did you mean {near[0]}?" if near else "; see: fleetpush inventory list"
            raise InputError(f"the inventory has no host {name!r}{hint}")
        one = found.hosts[name]
        output.tell_as_is(
            lambda: written.variables_as_json(one),
            lambda: written.variables_as_yaml(one).splitlines(),
            lambda: _variables(one),
        )

    _tell("inventory host", (inventories, None, extra_vars, format, verbose), tell)


def _tell(
    command: str, given: tuple[Any, ...], tell: "Callable[[Output, Inventory, list[Host]], None]"
) -> None:
    inventories, limit, extra_vars, format, verbose = given
    output = Output(command=command, format=format, verbose=verbose)

    def work() -> int:
        from fleetpush.deploy.fleet import selected  # noqa: PLC0415 - as above

        found, hosts = selected(inventories, limit, extra_vars or (), output.warn)
        tell(output, found, hosts)
        return 0

    raise typer.Exit(guarded(output, work))


def _variables(host: "Host") -> Iterable[str]:
    rows = []
    for name in sorted(host.variables):
        shown = "(hidden; -o json shows it)" if is_secret_name(name) else _value(host, name)
        rows.append((name, host.place(name), shown))
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    for name, place, shown in rows:
        yield f"{name:{widths[0]}}  {place:{widths[1]}}  {shown}"


def _value(host: "Host", name: str) -> str:
    try:
        return repr(host.resolved(name))
    except InputError as error:
        if isinstance(host.variables[name], str):
            return f"{host.variables[name]!r} (no value: {error})"
        return f"(no value: {error})"
