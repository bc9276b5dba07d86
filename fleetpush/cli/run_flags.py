"""The flags of verbs that write the history of runs or read it."""

from pathlib import Path
from typing import Annotated

from fleetpush.cli.help_page import KEPT
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
