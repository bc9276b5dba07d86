"""A verb as Typer's parser sees it: what its flags leave open comes from the settings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from fleetpush.cli.help_page import SectionedCommand
from fleetpush.cli.settings import Setting, setting_of
from fleetpush.cli.settings_file import Given, SettingsFile, read_settings
from fleetpush.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Used(NamedTuple):
    """The value that a setting has for a verb; ``given`` as it was written, None for a default."""

    setting: Setting
    value: object
    given: object
    source: str
    """default, environment or file."""
    key: str
    """In the file; "" if the value is not from there."""


class Verb(SectionedCommand):
    """Its options that are settings read their variable, and the file through ``default_map``."""

    def __init__(self, name: str | None, **more: Any) -> None:  # noqa: ANN401 - Typer's own signature
        super().__init__(name, **more)
        for parameter, setting in self._settings():
            parameter.envvar = setting.env
            # A page on which every second line ends in its variable's name is hard to read.
            parameter.show_envvar = False

    def _settings(self) -> Iterator[tuple[Any, Setting]]:
        for parameter in self.params:
            setting = setting_of(self.name or "", parameter.opts)
            if setting is not None:
                yield parameter, setting

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401
        """As Typer's, with what the file says behind flags and variables.

        Raises InputError for a setting that cannot be, wherever it comes from.
        """
        completing = bool(extra.get("resilient_parsing"))
        extra["default_map"] = self._defaults(info_name or "", parent, quiet=completing)
        return super().make_context(info_name, args, parent, **extra)

    def _defaults(self, name: str, parent: Any, *, quiet: bool) -> Any:  # noqa: ANN401 - Typer wants a dict
        names = {parameter.name: setting.name for parameter, setting in self._settings()}
        return _FileDefaults(names, name, parent, quiet=quiet)

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401
        ctx.default_map = None  # help comes whatever the file says
        return super().get_help(ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer keeps the types private
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            name = getattr(error.param, "name", None)
            source = ctx.get_parameter_source(name) if name else None
            self._blame_setting(ctx, error, source)
            raise

    def used(self, name: str, parent: Any) -> Iterator[Used]:  # noqa: ANN401
        """What its settings are without any flag. Raises InputError as ``make_context`` does."""
        defaults = self._defaults(name, parent, quiet=False)
        ctx = typer.Context(self, info_name=name, parent=parent, default_map=defaults)
        for parameter, setting in self._settings():
            given, source = parameter.consume_value(ctx, {})
            origin = _SOURCES[source.name]
            if origin == "default":
                yield Used(setting, given, None, origin, "")
                continue
            try:
                value = parameter.process_value(ctx, given)
            except typer.BadParameter as error:
                error.param = parameter
                self._blame_setting(ctx, error, source)
                raise
            key = defaults.key(parameter.name) if origin == "file" else ""
            yield Used(setting, value, given, origin, key)

    @staticmethod
    def settings_file(ctx: Any) -> SettingsFile:  # noqa: ANN401
        """What the verb of ``ctx`` goes by. Raises InputError."""
        found = ctx.default_map.file
        assert isinstance(found, SettingsFile)
        return found

    def _blame_setting(self, ctx: Any, error: Any, source: Any) -> None:  # noqa: ANN401
        """A value that the operator did not type just now is found where it stands."""
        origin = _SOURCES.get(getattr(source, "name", ""))
        if origin == "file":
            raise ctx.default_map.wrong(error.param.name, error.message) from error
        if origin == "environment":
            raise InputError(
                f"{error.param.envvar}: {error.message}", slug="bad_setting"
            ) from error


_KEPT = "fleetpush.settings"
_SOURCES = {"ENVIRONMENT": "environment", "DEFAULT_MAP": "file", "DEFAULT": "default"}


class _FileDefaults:
    """A ``default_map``: reads the file when the first value is wanted."""

    def __init__(self, names: dict[str, str], verb: str, parent: Any, *, quiet: bool) -> None:  # noqa: ANN401
        """``names`` of settings by parameter; ``quiet``: what is wrong with the file is not the point now."""
        self._names = names
        self._verb = verb
        while parent is not None and parent.parent is not None:  # `fleetpush inventory list`
            self._verb, parent = parent.info_name, parent.parent
        self._root = parent
        self._quiet = quiet

    @cached_property
    def file(self) -> SettingsFile:
        """Read once for all verbs that ask."""
        kept = {} if self._root is None else self._root.meta
        if _KEPT not in kept:
            kept[_KEPT] = self._read()
        found = kept[_KEPT]
        assert isinstance(found, SettingsFile)
        return found

    def _read(self) -> SettingsFile:
        verbs = sorted(getattr(getattr(self._root, "command", None), "commands", {}))
        if not self._quiet:
            return read_settings(verbs, lambda text: typer.echo(f"warning: {text}", err=True))
        try:
            return read_settings(verbs, lambda text: None)
        except InputError:
            return SettingsFile(None, {})

    def get(self, parameter: str) -> object:
        """What the file gives to the option whose parameter this is, None if nothing."""
        given = self._given(parameter)
        return given.value if given else None

    def key(self, parameter: str) -> str:
        given = self._given(parameter)
        return given.key if given else ""

    def wrong(self, parameter: str, reason: str) -> InputError:
        return self.file.wrong(self.key(parameter), reason)

    def _given(self, parameter: str) -> Given | None:
        name = self._names.get(parameter)
        try:
            return self.file.given(self._verb, name) if name else None
        except InputError:
            if self._quiet:
                return None
            raise
