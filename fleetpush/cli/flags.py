"""The flags that verbs share, each said once: its name, its value and its help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fleetpush.cli import completion, values
from fleetpush.cli.help_page import HOW, SHOWN, SSH, WHAT, WHEN
from fleetpush.cli.option import option as _option
from fleetpush.cli.option import parsed as _parsed
from fleetpush.remote import settings
from fleetpush.report.choose import ColorChoice, ProgressStyle

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC",
        help="Files and directories to push; DIR/ is what is in it, DIR the directory itself."
        " HOST:PATH is a file on a host of the inventory, which then sends it; of one name on several"
        " hosts each is a replica. A file here with a colon in its name is ./NAME.",
        rich_help_panel=WHAT,
    ),
]
Inventories = Annotated[
    list[str],
    _option(
        "-i",
        "--inventory",
        metavar="INV",
        help="Inventory as Ansible has it: a file (YAML, INI), a script, a directory, 'host1,host2,' or"
        " - for stdin; also a name in inventories/. Repeatable.",
        autocompletion=completion.inventories,
        rich_help_panel=WHAT,
    ),
]
Limit = Annotated[
    str | None,
    _option(
        "-l",
        "--limit",
        metavar="PATTERN",
        help="Only hosts of this pattern.",
        autocompletion=completion.hosts_and_groups,
        rich_help_panel=WHAT,
    ),
]
ExtraVars = Annotated[
    list[str] | None,
    _option(
        "-e",
        "--extra-vars",
        metavar="K=V",
        help="Variables that beat the inventory's: name=value, @FILE, or JSON in braces. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
Dest = Annotated[
    str | None,
    _option(
        "--dest",
        metavar="PATH",
        help="Where it goes; a Jinja2 template over the host's variables."
        " Default: fleetpush_dest, else the source's name in the login user's home.",
        rich_help_panel=WHAT,
    ),
]
Exclude = Annotated[
    list[str] | None,
    _option(
        "--exclude",
        metavar="PATTERN",
        help="Leave this out of directories, as rsync does: '*.tmp', /top, dir/. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
Delete = Annotated[
    bool,
    _option(
        "--delete",
        help="Remove from the hosts' directory what the source directory lacks and no --exclude names.",
        rich_help_panel=WHAT,
    ),
]
ReleaseDir = Annotated[
    str | None,
    _option(
        "--release-dir",
        metavar="DIR",
        help="Instead of --dest: into a new directory of DIR/releases/, then switch DIR/current to it.",
        rich_help_panel=WHAT,
    ),
]
KeepReleases = Annotated[
    int,
    _option(
        "--keep-releases",
        metavar="N",
        min=1,
        help="Releases that stay, the current one among them. Default: 5.",
        rich_help_panel=WHAT,
    ),
]
Mode = Annotated[
    int | None,
    _option(
        "--mode",
        metavar="0644",
        parser=_parsed(values.mode),
        help="Permissions, octal.",
        rich_help_panel=WHAT,
    ),
]
Owner = Annotated[
    str | None, _option("--owner", metavar="USER", help="Owner.", rich_help_panel=WHAT)
]
Group = Annotated[
    str | None, _option("--group", metavar="GROUP", help="Group.", rich_help_panel=WHAT)
]

TopologyChoice = Annotated[
    Literal["auto", "mesh", "tree", "star"],
    _option("--topology", help="Who sends to whom. Default: auto.", rich_help_panel=HOW),
]
TreeFanout = Annotated[
    int | None,
    _option("--tree-fanout", metavar="N", min=1, help="A plain N-ary tree.", rich_help_panel=HOW),
]
Discovery = Annotated[
    Literal["tracker", "gossip"],
    _option(
        "--discovery", help="How peers find each other. Default: tracker.", rich_help_panel=HOW
    ),
]
RackBy = Annotated[
    str | None,
    _option(
        "--rack-by",
        metavar="PREFIX|subnet",
        help="Racks where fleetpush_rack names none: groups whose names begin with PREFIX, such as rack_, or"
        " the hosts' networks: subnet is /24 (IPv6: /64), subnet/22 another.",
        rich_help_panel=HOW,
    ),
]
ChunkSize = Annotated[
    int | None,
    _option(
        "--chunk-size",
        metavar="S",
        parser=_parsed(values.chunk_size),
        help="Chunk size, such as 4M. Default: by file size and number of hosts.",
        rich_help_panel=HOW,
    ),
]
Bwlimit = Annotated[
    int | None,
    _option(
        "--bwlimit",
        metavar="R",
        parser=_parsed(values.rate),
        help="Most bytes a second that this machine sends, your runs at once together, as rsync's"
        " --bwlimit: 1.5M; KB is 1000, K or KiB 1024, a bare number is in KiB, 0 is no limit."
        " Where sources are on hosts: that each of those sends.",
        rich_help_panel=HOW,
    ),
]
HostBwlimit = Annotated[
    int | None,
    _option(
        "--host-bwlimit",
        metavar="R",
        parser=_parsed(values.rate),
        help="Most bytes a second that each host receives, and that it sends.",
        rich_help_panel=HOW,
    ),
]
PortRange = Annotated[
    values.Ports,
    _option(
        "--port-range",
        metavar="A-B",
        parser=_parsed(values.port_range),
        help="Ports that peers listen on. Default: 47600-47699.",
        rich_help_panel=HOW,
    ),
]
NoEncrypt = Annotated[
    bool,
    _option(
        "--no-encrypt", help="Content in clear between peers; still verified.", rich_help_panel=HOW
    ),
]

Verify = Annotated[
    Literal["chunks", "full"],
    _option(
        "--verify",
        help="chunks (default): every chunk as it arrives; full: the file read back from disk too.",
        rich_help_panel=WHEN,
    ),
]
Checksum = Annotated[
    bool,
    _option(
        "--checksum",
        help="Read what is on the hosts even where an earlier run verified it and it looks untouched.",
        rich_help_panel=HOW,
    ),
]
Reuse = Annotated[
    list[str] | None,
    _option(
        "--reuse",
        metavar="PATH",
        help="A file on the hosts that may hold some of the content, beside what is at the destination."
        " A template like --dest. Repeatable.",
        rich_help_panel=HOW,
    ),
]
NoReuse = Annotated[
    bool,
    _option(
        "--no-reuse",
        help="Send what changed whole: look at no older version on the hosts.",
        rich_help_panel=HOW,
    ),
]
Activate = Annotated[
    Literal["each", "together", "none"],
    _option(
        "--activate",
        help="each (default): a host switches when it has verified; together: none before all"
        " (--min-success: enough) have; none: preheat only.",
        rich_help_panel=WHEN,
    ),
]
Stall = Annotated[
    float,
    _option(
        "--stall",
        metavar="T",
        parser=_parsed(values.positive_duration),
        help="Cut a host loose after T without progress. Default: 60s.",
        rich_help_panel=WHEN,
    ),
]
Deadline = Annotated[
    float | None,
    _option(
        "--deadline",
        metavar="T",
        parser=_parsed(values.positive_duration),
        help="Stop the run after T, such as 10m or 1h30m; exit 124.",
        rich_help_panel=WHEN,
    ),
]
DetachGrace = Annotated[
    float,
    _option(
        "--detach-grace",
        metavar="T",
        parser=_parsed(values.duration),
        help="How long agents go on without this command. Default: 0.",
        rich_help_panel=WHEN,
    ),
]
Gather = Annotated[
    bool,
    _option(
        "--gather",
        help="Start the exchange only when every host is connected (for measuring).",
        rich_help_panel=WHEN,
    ),
]
MinSuccess = Annotated[
    float | None,
    _option(
        "--min-success",
        metavar="P",
        parser=_parsed(values.percentage),
        help="Enough hosts, such as 99.5%: met, exit 0; missed, exit 8.",
        rich_help_panel=WHEN,
    ),
]

User = Annotated[
    str | None,
    _option(
        "-u",
        "--user",
        metavar="USER",
        help="Login where ansible_user is not set.",
        rich_help_panel=SSH,
    ),
]
AskPassword = Annotated[
    bool, _option("-k", "--ask-pass", help="Ask for the SSH password.", rich_help_panel=SSH)
]
BecomeSwitch = Annotated[
    bool,
    _option(
        "-b", "--become", help="Be another user there: root, if not said.", rich_help_panel=SSH
    ),
]
BecomeUser = Annotated[
    str | None,
    _option("--become-user", metavar="USER", help="Whom to become.", rich_help_panel=SSH),
]
BecomeMethod = Annotated[
    settings.BecomeMethod,
    _option("--become-method", help="How. Default: sudo.", rich_help_panel=SSH),
]
AskBecomePassword = Annotated[
    bool,
    _option("-K", "--ask-become-pass", help="Ask for sudo's password.", rich_help_panel=SSH),
]
Forks = Annotated[
    int,
    _option(
        "-f",
        "--forks",
        metavar="N",
        min=1,
        help="Handshakes at once. Default: 128.",
        rich_help_panel=SSH,
    ),
]
PrivateKey = Annotated[
    Path | None,
    _option("--private-key", metavar="FILE", help="Identity to log in with.", rich_help_panel=SSH),
]
SshConfig = Annotated[
    Path | None,
    _option("--ssh-config", metavar="FILE", help="Instead of ~/.ssh/config.", rich_help_panel=SSH),
]
HostKeyCheckingChoice = Annotated[
    Literal["strict", "accept-new", "off"],
    _option("--host-key-checking", help="Default: strict.", rich_help_panel=SSH),
]
Jump = Annotated[
    str | None,
    _option("--jump", metavar="HOST", help="Bastion, [user@]host[:port].", rich_help_panel=SSH),
]
ConnectionPlugin = Annotated[
    str | None,
    _option(
        "-c",
        "--connection",
        metavar="PLUGIN",
        help="asyncssh (default), paramiko, openssh or local, where ansible_connection is not set.",
        autocompletion=completion.connections,
        rich_help_panel=SSH,
    ),
]
ConnectTimeout = Annotated[
    float,
    _option(
        "--connect-timeout",
        metavar="T",
        parser=_parsed(values.positive_duration),
        help="Default: 15s.",
        rich_help_panel=SSH,
    ),
]

Progress = Annotated[
    ProgressStyle,
    _option(
        "--progress", help="On stderr. auto: tty on a terminal, else plain.", rich_help_panel=SHOWN
    ),
]
Format = Annotated[
    Literal["text", "json"],
    _option("-o", "--output", help="The result on stdout. Default: text.", rich_help_panel=SHOWN),
]
Color = Annotated[
    ColorChoice, _option("--color", help="auto honours NO_COLOR.", rich_help_panel=SHOWN)
]
LogFile = Annotated[
    Path | None,
    _option("--log-file", metavar="FILE", help="Append every step to FILE.", rich_help_panel=SHOWN),
]
Verbose = Annotated[
    int,
    _option(
        "-v", "--verbose", count=True, help="Say more; -v shows tracebacks.", rich_help_panel=SHOWN
    ),
]
