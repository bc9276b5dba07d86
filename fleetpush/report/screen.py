"""The console everything is drawn on."""

from __future__ import annotations

from rich.console import Console


class Screen(Console):
    """A console whose caller learns that nobody reads any more; rich itself would end the process."""

    def on_broken_pipe(self) -> None:
        # Called while the BrokenPipeError is being handled.
        raise  # noqa: PLE0704
