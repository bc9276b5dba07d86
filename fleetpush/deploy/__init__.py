"""The run, from sources to a verified fleet. Call it: ``fleetpush.deploy("model.pt", "dc1.yaml")``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleetpush.deploy.results import RunReport


class _Package(ModuleType):
    """The package has the name that its function should have, and any import of a module in it binds that
    name to the package. So the package is what is called."""

    def __call__(self, *arguments: Any, **keywords: Any) -> RunReport:  # noqa: ANN401 - see api.deploy
        from fleetpush.deploy.api import deploy  # noqa: PLC0415 - brings asyncssh

        return deploy(*arguments, **keywords)


sys.modules[__name__].__class__ = _Package
