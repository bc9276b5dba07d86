"""``--on-success``: the operator's command that follows a run which was well, on the operator's machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

from fleetpush.deploy.results import HostStatus, RunReport
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from fleetpush.cli.output import Conclusion

STDERR = 2


def follow(conclusion: Conclusion, command: str) -> Conclusion:
    """Runs ``command`` if the exit code is 0, and waits for it; its failure is the run's then (exit 5).

    It finds the run in its environment, nothing on stdin, and stderr for both its outputs: on stdout there
    may be a document.
    """
    report = conclusion.report
    if conclusion.exit_code or not isinstance(report, RunReport):
        return conclusion
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=STDERR,
        env={**os.environ, **_told(report)},
    )
    if not done.returncode:
        return conclusion
    how = f"ended with {done.returncode}"
    if done.returncode < 0:
        how = f"was ended by signal {-done.returncode}"
    error = f"all went well but for --on-success: {command!r} {how}"
    code = InputError.exit_code
    return replace(conclusion, report=replace(report, exit_code=code, error=error), exit_code=code)


def _told(report: RunReport) -> dict[str, str]:
    good = (HostStatus.VERIFIED, HostStatus.ALREADY_PRESENT)
    values = {
        "RUN_ID": report.run_id,
        "SOURCE": report.manifest_name,
        "DIGEST": report.manifest_digest,
        "SIZE": report.size,
        "HOSTS": len(report.results),
        "HOSTS_VERIFIED": report.count(*good),
        "HOSTS_CHANGED": sum(result.changed for result in report.results),
    }
    return {f"FLEETPUSH_{name}": str(value) for name, value in values.items()}
