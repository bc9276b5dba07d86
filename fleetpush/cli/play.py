"""``fleetpush play``: batches, commands, handlers and releases, as a playbook says."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetpush.cli import completion, flags, job_flags, run_flags
from fleetpush.cli.conduct import Signals, conduct, guarded
from fleetpush.cli.help_page import WHAT, WHEN
from fleetpush.cli.job import Job
from fleetpush.cli.option import option
from fleetpush.cli.options import fields_of
from fleetpush.cli.output import Conclusion, Output
from fleetpush.cli.password import asked
from fleetpush.cli.play_output import PlayOutput
from fleetpush.deploy.options import SshOptions
from fleetpush.deploy.play.options import PlayOptions
from fleetpush.errors import UsageError

if TYPE_CHECKING:
    from fleetpush.deploy.play.events import PlayObserver

Playbooks = Annotated[
    list[str],
    typer.Argument(
        metavar="PLAYBOOK",
        help="Files of plays; also names in playbooks/.",
        autocompletion=completion.playbooks,
        rich_help_panel=WHAT,
    ),
]
Inventories = Annotated[
    list[str] | None,
    option(
        "-i",
        "--inventory",
        metavar="INV",
        help="Inventory, as for deploy. Repeatable. --syntax-check, --list-tasks and --list-tags need none.",
        autocompletion=completion.inventories,
        rich_help_panel=WHAT,
    ),
]
Tags = Annotated[
    list[str] | None,
    option(
        "-t",
        "--tags",
        metavar="TAGS",
        help="Only tasks with one of these, as Ansible has it. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
SkipTags = Annotated[
    list[str] | None,
    option("--skip-tags", metavar="TAGS", help="No tasks with one of these.", rich_help_panel=WHAT),
]
StartAtTask = Annotated[
    str | None,
    option(
        "--start-at-task", metavar="NAME", help="Leave out what is before it.", rich_help_panel=WHAT
    ),
]
Check = Annotated[
    bool,
    option(
        "-C",
        "--check",
        help="Change nothing; say what would be. Commands are left out, but for check_mode: no.",
        rich_help_panel=WHEN,
    ),
]
SyntaxCheck = Annotated[
    bool,
    option("--syntax-check", help="Only read the playbooks.", rich_help_panel=WHEN),
]
ListTasks = Annotated[
    bool, option("--list-tasks", help="Only list the tasks.", rich_help_panel=WHEN)
]
ListHosts = Annotated[
    bool, option("--list-hosts", help="Only list the hosts, batch by batch.", rich_help_panel=WHEN)
]
ListTags = Annotated[bool, option("--list-tags", help="Only list the tags.", rich_help_panel=WHEN)]


def play(
    *,
    playbooks: Playbooks,
    inventories: Inventories = None,
    limit: flags.Limit = None,
    extra_vars: flags.ExtraVars = None,
    tags: Tags = None,
    skip_tags: SkipTags = None,
    start_at_task: StartAtTask = None,
    check: Check = False,
    syntax_check: SyntaxCheck = False,
    list_tasks: ListTasks = False,
    list_hosts: ListHosts = False,
    list_tags: ListTags = False,
    deadline: flags.Deadline = None,
    user: flags.User = None,
    ask_pass: flags.AskPassword = False,
    become: flags.BecomeSwitch = False,
    become_user: flags.BecomeUser = None,
    become_method: flags.BecomeMethod = "sudo",
    ask_become_pass: flags.AskBecomePassword = False,
    forks: flags.Forks = 128,
    private_key: flags.PrivateKey = None,
    ssh_config: flags.SshConfig = None,
    host_key_checking: flags.HostKeyCheckingChoice = "strict",
    jump: flags.Jump = None,
    connection: flags.ConnectionPlugin = None,
    connect_timeout: flags.ConnectTimeout = 15.0,
    progress: flags.Progress = "auto",
    format: flags.Format = "text",
    color: flags.Color = "auto",
    log_file: flags.LogFile = None,
    state_dir: run_flags.StateDir = None,
    lock: job_flags.Lock = None,
    lock_wait: job_flags.LockWait = 0.0,
    splay: job_flags.Splay = 0.0,
    junit: job_flags.Junit = None,
    metrics: job_flags.Metrics = None,
    metrics_job: job_flags.MetricsJob = None,
    verbose: flags.Verbose = 0,
) -> None:
    """Play playbooks: deliveries, commands, checks and releases on groups of hosts, batch by batch.

    Written as Ansible's, with the actions push, command, shell, wait_for, activate and rollback.
    """
    given = dict(locals())
    output = PlayOutput(command="play", **fields_of(PlayOutput, given))
    looks = [
        name for name in ("syntax_check", "list_tasks", "list_hosts", "list_tags") if given[name]
    ]
    if looks:
        raise typer.Exit(guarded(output, lambda: _look(given, looks, output)))
    raise typer.Exit(conduct(output, lambda: _Work(options_from(given)).execute, Job.of(given)))


def options_from(given: dict[str, Any]) -> PlayOptions:
    """The options that the flags of ``play``, by parameter name, ask for. Raises UsageError."""
    if not given["inventories"]:
        raise UsageError("-i / --inventory is missing: which hosts are these plays for?")
    return _options(given, SshOptions(**asked(given), **fields_of(SshOptions, given)))


def _options(given: dict[str, Any], ssh: SshOptions) -> PlayOptions:
    names = ("playbooks", "inventories", "extra_vars")
    lists = {name: tuple(given[name] or ()) for name in names}
    tags = {name: _names(given[name]) for name in ("tags", "skip_tags")}
    return PlayOptions(**{**fields_of(PlayOptions, given), **lists, **tags, "ssh": ssh})


def _names(given: list[str] | None) -> tuple[str, ...]:
    words = [word.strip() for text in given or () for word in text.split(",")]
    return tuple(word for word in words if word)


class _Work:
    """What ``conduct`` is to do."""

    def __init__(self, options: PlayOptions) -> None:
        self._options = options

    async def execute(self, observer: Any, signals: Signals) -> Conclusion:  # noqa: ANN401 - see PlayOutput
        """Plays. Raises FleetpushError when the run as a whole cannot be."""
        from fleetpush.deploy.play.run import PlayRun  # noqa: PLC0415 - brings jinja2, which --help does without

        told: PlayObserver = observer
        run = PlayRun(self._options, told)
        signals.attach(run)
        report = await run.execute()
        return Conclusion(report, report.exit_code)


def _look(given: dict[str, Any], looks: list[str], output: Output) -> int:
    """What is read and asked for, without touching a host."""
    from fleetpush.deploy.play.program import load_program  # noqa: PLC0415 - as above
    from fleetpush.report.play import listed  # noqa: PLC0415 - as above

    with_hosts = bool(given["inventories"])
    if "list_hosts" in looks and not with_hosts:
        raise UsageError("--list-hosts needs an inventory: -i / --inventory")
    program = load_program(_options(given, SshOptions()), output.warn, with_hosts=with_hosts)
    output.tell(listed.document(program), [*listed.lines(program, looks)], 0)
    return 0
