"""Tasks that each host's agent does for itself: what it is asked, and what its answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fleetpush.deploy.play.performer import Outcome
from fleetpush.errors import HostFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fleetpush.deploy.play.performer import Call
    from fleetpush.deploy.sessions.fleet import Answer

WAIT_TIMEOUT = 300.0
"""Seconds that Ansible's wait_for waits at most where nobody says."""


def question(call: Call, *, check: bool) -> tuple[str, dict[str, Any]]:
    """The task for the agent and its arguments."""
    given = call.arguments
    if call.action in ("command", "shell"):
        return "command", _command(given, shell=call.action == "shell", check=check)
    if call.action == "wait_for":
        usual = {"host": "127.0.0.1", "timeout": WAIT_TIMEOUT, "sleep": 1.0, "delay": 0.0}
        return "wait_for", {**usual, "status": [200], **given}
    return "roll_back", {"dir": given["release_dir"], "to": given.get("to"), "check": check}


def _command(given: Mapping[str, Any], *, shell: bool, check: bool) -> dict[str, Any]:
    same = ("chdir", "creates", "removes", "timeout", "executable")
    asked = {name: given[name] for name in same if name in given}
    if shell:
        asked["shell"] = given["cmd"]
    else:
        asked["argv"] = list(given["argv"]) if "argv" in given else _words(given["cmd"])
    if "stdin" in given:
        newline = given.get("stdin_add_newline", True)
        asked["stdin"] = f"{given['stdin']}\n" if newline else given["stdin"]
    return {**asked, "check": check}


def _words(line: str) -> list[str]:
    import shlex  # noqa: PLC0415 - only commands in one line want it

    return shlex.split(line)


def outcome(call: Call, answer: Answer) -> Outcome:
    """What came of it."""
    if isinstance(answer, HostFailure):
        return Outcome.of(answer)
    if call.action in ("command", "shell"):
        return _command_outcome(call, answer)
    if call.action == "wait_for":
        return Outcome("ok", result={"msg": answer["answer"], "elapsed": answer["seconds"]})
    was, now = answer["was"], answer["now"]
    said = f"{now} is active" if was == now else f"back from {was or 'nothing'} to {now}"
    result = {"msg": said, "was": was, "release": now}
    return Outcome("ok" if was == now else "changed", result=result)


def _command_outcome(call: Call, answer: Mapping[str, Any]) -> Outcome:
    strip = call.arguments.get("strip_empty_ends", True)
    out, err = answer["stdout"], answer["stderr"]
    if strip:
        out, err = out.rstrip("\r\n"), err.rstrip("\r\n")
    result = {"rc": answer["rc"], "stdout": out, "stderr": err, "msg": ""}
    result |= {"delta": answer["seconds"], "cmd": call.arguments.get("cmd")}
    if answer["skipped"]:
        return Outcome("ok", result={**result, "msg": out})
    if answer["rc"] == 0:
        return Outcome("changed", result=result)
    said = (err.strip() or out.strip()).splitlines()
    last = f": {said[-1][:300]}" if said else ""
    text = f"the command ended with {answer['rc']}{last}"
    return Outcome(
        "failed", "command_failed", text, {**result, "msg": "non-zero return code", "changed": True}
    )
