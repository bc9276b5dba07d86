"""The flags of verbs that write the history of runs or read it."""

from pathlib import Path
from typing import Annotated

import typer

from fleetpush.cli import completion
from fleetpush.cli.help_page import KEPT, SSH, WHAT
from fleetpush.cli.option import option

StateDir = Annotated[
    Path | None,
    option(
        "--state-dir",
        metavar="DIR",
        help="Where runs are recorded. Default: $XDG_STATE_HOME/fleetpush, else"
        " ~/.local/state/fleetpush.",
        rich_help_panel=KEPT,
    ),
]
SignKey = Annotated[
    Path | None,
    option(
        "--sign-key",
        metavar="FILE",
        help="The private key that the run's receipt is signed with (ed25519, ecdsa or rsa, not"
        " encrypted). Default: one that --state-dir has.",
        rich_help_panel=KEPT,
    ),
]
Receipt = Annotated[
    Path | None,
    option(
        "--receipt",
        metavar="FILE",
        help="Write the signed receipt here too: FILE, and FILE.sig.",
        rich_help_panel=KEPT,
    ),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id as runs list has it, or its beginning; last is the newest.",
        autocompletion=completion.runs,
        rich_help_panel=WHAT,
    ),
]
Forks = Annotated[
    int | None,
    option(
        "-f",
        "--forks",
        metavar="N",
        min=1,
        help="Handshakes at once. Default: the run's.",
        rich_help_panel=SSH,
    ),
]
