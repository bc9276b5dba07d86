"""``fleetpush.toml``: where it is looked for, whether it may be trusted, and what it says."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fleetpush.cli.settings import SETTINGS
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

NAME = "fleetpush.toml"
_SLUG = "bad_setting"


class Given(NamedTuple):
    """A value that the file gives to one verb, as its flag takes it, and the key: ``deploy.forks``."""

    value: object
    key: str


class SettingsFile(NamedTuple):
    """``tables[""]`` is for every verb; that of a verb beats it. ``path`` is None where there is no file."""

    path: Path | None
    tables: Mapping[str, Mapping[str, Any]]

    def given(self, verb: str, name: str) -> Given | None:
        """What it says of the setting ``name`` to ``verb``.

        Raises InputError, naming file and key, for a value that no such flag could have.
        """
        for table in (verb, ""):
            value = self.tables.get(table, {}).get(name)
            if value is not None:
                key = f"{table}.{name}" if table else name
                setting = SETTINGS[name]
                if not setting.kind.accepts(value):
                    raise self.wrong(key, f"must be {setting.kind.value}, not {value!r}")
                return Given(setting.flag_value(value), key)
        return None

    def wrong(self, key: str, reason: str) -> InputError:
        return InputError(f"{self.path}: {key}: {reason}", slug=_SLUG)


def read_settings(verbs: Collection[str], warn: Callable[[str], None]) -> SettingsFile:
    """The first file that there is: of the working directory, else of the user's configuration.

    ``warn`` hears of a file that is there and cannot be trusted: it is left out, as Ansible does.
    Raises InputError for a file that cannot be read, a key that nobody knows, and what is no TOML.
    """
    for path in places():
        if path.is_file() and _trusted(path, warn):
            return _read(path, verbs)
    return SettingsFile(None, {})


def places() -> list[Path]:
    """Where a file is looked for, in this order."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # The standard wants a relative one ignored.
    base = Path(home) if home.startswith("/") else Path("~/.config").expanduser()
    return [Path.cwd() / NAME, base / "fleetpush" / NAME]


def _trusted(path: Path, warn: Callable[[str], None]) -> bool:
    """Whoever may write the file decides which key this run logs in with and where."""
    for one in (path.parent, path):
        if one.stat().st_mode & stat.S_IWOTH:
            warn(f"{path} is ignored: every user may write to {one}; chmod o-w {one} to use it")
            return False
    return True


def _read(path: Path, verbs: Collection[str]) -> SettingsFile:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", slug=_SLUG) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}", slug=_SLUG) from error
    tables = {verb: found.pop(verb) for verb in verbs if isinstance(found.get(verb), dict)}
    file = SettingsFile(path, {"": found, **tables})
    for table, values in file.tables.items():
        for name in values:
            if name not in SETTINGS:
                known = [*SETTINGS, *(() if table else verbs)]
                raise file.wrong(f"{table}.{name}" if table else name, _unknown(name, known))
    return file


def _unknown(name: str, known: Collection[str]) -> str:
    if "pass" in name or "secret" in name:
        return "secrets are no settings; use a key or an SSH agent, or ask for the password with -k"
    near = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=1)
    if near:
        return f"there is no such setting; did you mean {near[0]}?"
    return "there is no such setting; fleetpush config lists them"
