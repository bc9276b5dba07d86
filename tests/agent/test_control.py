"""What an agent says to the CLI arrives whole, whatever others do to the pipe that they share with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_is_lost_where_somebody_made_the_pipe_non_blocking() -> None:
    program = """
from fleetpush.agent.control import Control
control = Control(20.0, lambda message: None, lambda reason, wrong: None)
control.start()
for number in range(5):
    control.say({"number": number, "text": "x" * 2_000_000})
control.finish()
"""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writing, cwd=ROOT) as child:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            lines = pipe.read().splitlines()
    assert child.returncode == 0
    assert [json.loads(line)["number"] for line in lines] == list(range(5))
