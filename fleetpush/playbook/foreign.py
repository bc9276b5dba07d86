"""What Ansible has and fleetpush has not: each with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PUSH = "push delivers files"
_SERVICE = "write command: systemctl restart NAME, usually in a handler"
_PACKAGE = "write command with the package manager's own line"
_FILE = "write command: mkdir -p, rm, ln or chmod"
_INCLUDE = "write the tasks out, or name several playbooks: fleetpush play ONE.yaml TWO.yaml"
_LOOP = "write a task for each; push takes a list in src"
_FACTS = "what a play needs to know of a host belongs into the inventory's variables"
_LOCAL = "run it before fleetpush play, in the script that calls it"
_END = "use when, or a play of its own"

MODULES: Mapping[str, str] = {
    **dict.fromkeys(("copy", "template", "synchronize", "unarchive", "get_url", "assemble"), _PUSH),
    **dict.fromkeys(
        ("fetch", "slurp"), "hosts send nothing back; command with register reads a line"
    ),
    **dict.fromkeys(("service", "systemd", "systemd_service", "supervisorctl"), _SERVICE),
    **dict.fromkeys(("package", "apt", "yum", "dnf", "pip", "git"), _PACKAGE),
    **dict.fromkeys(
        ("file", "lineinfile", "blockinfile", "replace", "stat", "find", "user"), _FILE
    ),
    **dict.fromkeys(("include_tasks", "import_tasks", "include", "import_playbook"), _INCLUDE),
    **dict.fromkeys(("include_role", "import_role"), _INCLUDE),
    **dict.fromkeys(("setup", "gather_facts", "set_fact", "include_vars"), _FACTS),
    **dict.fromkeys(("script", "raw", "expect"), "write shell, which takes several lines"),
    **dict.fromkeys(("uri", "wait_for_connection"), "wait_for takes a url and a status, or a port"),
    **dict.fromkeys(("assert", "fail"), "write command: false with when, or failed_when"),
    **dict.fromkeys(("debug", "pause"), "the recap, -v and -o json say what happened"),
    "ping": "fleetpush check looks at every host",
    "reboot": "write command: systemctl reboot, and wait_for a port in the next play",
    "cron": "write command with crontab, or push a file to /etc/cron.d/",
    "add_host": "hosts belong into the inventory",
    "group_by": "groups belong into the inventory",
}
"""Modules, by name without ``ansible.builtin.``."""

TASK_KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(("block", "rescue", "always"), "give each task the when that it needs"),
    **dict.fromkeys(("loop", "loop_control", "with_items", "with_list", "with_dict"), _LOOP),
    **dict.fromkeys(("delegate_to", "delegate_facts", "local_action", "connection"), _LOCAL),
    **dict.fromkeys(("async", "poll"), "command waits until it has ended; systemd-run does not"),
    "action": "write the action's name as the key, such as command: or push:",
    "environment": "write it into the command: env NAME=value, or shell",
    "remote_user": "say ansible_user in the inventory, or -u; become_user becomes another one",
    "become_flags": "say ansible_become_flags in the inventory",
    "become_exe": "say ansible_become_exe in the inventory",
    "throttle": "serial of the play says how many hosts are at work at once",
    "module_defaults": "say it in each task",
    "collections": "there are no collections; leave it out",
    "debugger": "leave it out",
    "diff": "leave it out",
    "port": "say ansible_port in the inventory",
}

PLAY_KEYWORDS: Mapping[str, str] = {
    **{name: text for name, text in TASK_KEYWORDS.items() if name not in ("action", "block")},
    **dict.fromkeys(("roles", "import_playbook", "include"), _INCLUDE),
    **dict.fromkeys(("gather_subset", "gather_timeout", "fact_path"), _FACTS),
    "gather_facts": f"no facts are gathered: {_FACTS}",
    "strategy": "every play is linear: each task on all hosts of the batch, then the next",
    "connection": "say ansible_connection in the inventory, or -c",
    "vars_prompt": "give it with -e, or read it with lookup('env', NAME)",
    "force_handlers": "hosts that failed are left alone; leave it out",
    "ignore_errors": "say it in each task",
    "ignore_unreachable": "say it in each task",
    "run_once": "say it in each task",
    "check_mode": "say it in each task, or -C for all",
    "no_log": "say it in each task",
    "timeout": "say it in each task",
}

META: Mapping[str, str] = {
    **dict.fromkeys(("end_play", "end_host", "end_batch", "end_role"), _END),
    **dict.fromkeys(("clear_facts", "refresh_inventory"), _FACTS),
    **dict.fromkeys(("clear_host_errors", "reset_connection", "noop"), "leave it out"),
}
"""What ``meta`` can be told in Ansible, beside ``flush_handlers``."""


def instead_of(name: str, known: Mapping[str, str]) -> str:
    """``there is no 'copy' here: push delivers files``; "" for what is not in ``known``."""
    bare = name.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.").rpartition(".")[2]
    if bare not in known and name.startswith("with_"):
        bare = "with_items"
    return f"there is no {name!r} here: {known[bare]}" if bare in known else ""
