"""Ansible's own command module, run in the worker's process: a Python for each call would cost minutes."""

from __future__ import annotations

import contextlib
import io
import json

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.testing import patch_module_args
from ansible.modules import command
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        if task_vars.get("down"):
            raise AnsibleConnectionFailure("this host is down")
        arguments = dict(self._task.args)
        self._update_module_args("command", arguments, task_vars)
        said = io.StringIO()
        with (
            patch_module_args(arguments),
            contextlib.redirect_stdout(said),
            contextlib.suppress(SystemExit),
        ):
            command.main()
        result = json.loads(said.getvalue())
        return {**result, "stdout_lines": result.get("stdout", "").splitlines()}
