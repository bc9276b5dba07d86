"""Run as a program: lets Ansible's own command play every case of a folder; one JSON document of results.

One process for all, forked for each case: a start of Ansible takes longer than most of them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

AT_ONCE = 2


def play(case: Path, flags: list[str]) -> int:
    """The process that plays it."""
    (case / "told").touch()
    child = os.fork()
    if child:
        return child
    os.environ["TELL_TO"] = str(case / "told")
    os.chdir(case)
    with (case / "said").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    from ansible.cli.playbook import PlaybookCLI

    cli = PlaybookCLI(["ansible-playbook", "-i", "hosts", "play.yaml", *flags])
    try:
        cli.parse()
        code = cli.run()
    except BaseException as error:
        print(repr(error), flush=True)
        code = 250
    os._exit(code or 0)


def play_all(root: Path, cases: dict[str, list[str]]) -> dict[str, int]:
    """The exit codes, by case."""
    waiting, running, codes = list(cases.items()), {}, {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name, flags = waiting.pop(0)
            running[play(root / name, flags)] = name
        child, status = os.wait()
        codes[running.pop(child)] = os.waitstatus_to_exitcode(status)
    return codes


def told(case: Path, code: int) -> dict[str, object]:
    lines = [json.loads(line) for line in (case / "told").read_text().splitlines()]
    return {
        "exit": code,
        "results": [line for line in lines if "task" in line],
        "recap": next((line["stats"] for line in lines if "stats" in line), {}),
        "said": (case / "said").read_text(),
    }


def warm_up() -> None:
    """What every run looks up again, and the children inherit."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins import loader

    InventoryManager(loader=DataLoader(), sources=["localhost,"])
    for plugins in (loader.become_loader, loader.connection_loader, loader.shell_loader):
        list(plugins.all(class_only=True))
    gc.freeze()


def main() -> None:
    from ansible.cli import CLI  # noqa: F401 - sets Ansible up, as its own commands do
    from ansible.plugins.loader import init_plugin_loader

    root = Path(sys.argv[1]).resolve()
    init_plugin_loader()
    warm_up()
    codes = play_all(root, json.loads((root / "cases.json").read_text()))
    print(json.dumps({name: told(root / name, code) for name, code in codes.items()}))


if __name__ == "__main__":
    main()
