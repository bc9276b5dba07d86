"""Coverage-guided fuzzing (atheris) of everything that reads what others wrote.

    python3.11 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris asyncssh paramiko pyyaml jinja2 \
        cryptography
    /tmp/fuzz/bin/python -m tests.benchmarks.fuzz wire 1000000

One target a process; the targets are those of ``targets.py``. Ends with status 0 after so many inputs, or at
the first that raises what it must not, which is then in ``crash-*`` in the working directory. The corpus is
made anew each time: what was found once is a test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fleetpush"]):
    from tests.benchmarks.fuzz.targets import TARGETS, seeds


def main() -> None:
    name, runs, *more = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        flags = [f"-runs={runs}", "-max_len=4096", "-print_final_stats=1", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *flags, *more, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
