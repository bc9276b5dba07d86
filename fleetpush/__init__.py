"""fleetpush: one file on a thousand machines in about the time one copy takes.

From Python: ``fleetpush.deploy("model.pt", "dc1.yaml")``, or await ``fleetpush.deploy_async(...)``.
"""

from __future__ import annotations

__version__ = "0.1.0"

# This file is shipped to hosts too, which have nothing of the rest: each name is looked for when it is used.
# What they are to a type checker stands in __init__.pyi.
_HOMES = {
    "deploy": "fleetpush.deploy",
    "deploy_async": "fleetpush.deploy.api",
    "SshOptions": "fleetpush.deploy.options",
    "Event": "fleetpush.deploy.progress",
    "HostResult": "fleetpush.deploy.results",
    "HostStatus": "fleetpush.deploy.results",
    "RunReport": "fleetpush.deploy.results",
    "FleetpushError": "fleetpush.errors",
    "InputError": "fleetpush.errors",
    "UsageError": "fleetpush.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415 - a host's start-up would feel it

    home = importlib.import_module(_HOMES[name])
    return home if _HOMES[name].endswith("." + name) else getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
