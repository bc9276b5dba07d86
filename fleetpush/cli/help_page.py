"""How help looks: plain text, the options in named sections, the exit codes at the end."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from fleetpush.report.exit_status import table

EPILOG = f"\b\nEXIT STATUS\n{table()}\n\nThe first that matches wins: 130/143, 2, 5, 75, 124, 8, 3, 4, 0."

WHAT = "What goes where"
HOW = "How it travels"
RATES = "What the network can do"
SSH = "How hosts are reached"
WHEN = "When it counts as done"
JOB = "From cron and in pipelines"
SHOWN = "What is shown"
KEPT = "What is remembered"


class SectionedCommand(TyperCommand):
    """A verb whose options stand in sections (``rich_help_panel``) in the order of their first option."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer keeps the types private
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                name = getattr(parameter, "rich_help_panel", None) or "Other options"
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(name):
                formatter.write_dl(records)
