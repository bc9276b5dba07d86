"""A callback of Ansible's: every result and the recap, as lines of JSON in the file TELL_TO."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = (
    "name: tell\ntype: aggregate\nshort_description: tells results\ndescription: as above\n"
)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tell"

    def _tell(self, **line):
        with open(os.environ["TELL_TO"], "a") as file:
            file.write(json.dumps(line) + "\n")

    def _result(self, status, result):
        self._tell(task=result.task_name, host=result.host.get_name(), status=status)

    def v2_runner_on_ok(self, result):
        self._result("changed" if result.result.get("changed") else "ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    def v2_playbook_on_stats(self, stats):
        self._tell(stats={host: stats.summarize(host) for host in stats.processed})
