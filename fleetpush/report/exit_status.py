"""What the exit codes mean: one table for the help and the recap."""

from __future__ import annotations

from typing import Literal

MEANING = {
    0: "every selected host verified (or already had it)",
    1: "internal error",
    2: "usage",
    3: "at least one host failed in transfer, verification or activation",
    4: "the only failures are unreachable hosts",
    5: "bad inventory, playbook, source or configuration",
    8: "stopped by the failure threshold",
    75: "another run holds the lock",
    124: "deadline passed",
    130: "stopped by SIGINT (Ctrl-C)",
    143: "stopped by SIGTERM",
}


IN_A_PLAY = {**MEANING, 0: "every task went well", 3: "at least one host failed in a task"}


def meaning(code: int, *, of: Literal["deploy", "play"] = "deploy") -> str:
    """What ``code`` says, in words."""
    table = IN_A_PLAY if of == "play" else MEANING
    return table.get(code, "unknown exit status")


def table() -> str:
    """The lines of the help's EXIT STATUS."""
    return "\n".join(f"  {code:>3}  {text}" for code, text in MEANING.items())
