"""What is shipped to a host, packed: every module as bytecode of this Python and as thinned source.

Packing a kit takes a quarter of a second, so what was packed before is taken from whoever kept it
(``adopt``), if it is of these very sources (``fingerprint``).
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple

import fleetpush
from fleetpush.remote import thinning

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(fleetpush.__file__).parent


class Kit(NamedTuple):
    """What runs on a host: the module whose ``main`` is called, and what is shipped for it."""

    entry: str
    shipped: tuple[str, ...]
    left_out: tuple[str, ...] = ()


class Archive(NamedTuple):
    """The magic number of the Python that the bytecode is for, that bytecode, and the source."""

    magic: bytes
    codes: bytes
    sources: bytes


_packed: dict[Kit, Archive] = {}


def archive(kit: Kit) -> Archive:
    """The same bytes for the same sources and Python version; each kit is packed once in a process."""
    if kit not in _packed:
        _packed[kit] = _pack(kit)
    return _packed[kit]


def is_packed(kit: Kit) -> bool:
    return kit in _packed


def adopt(kit: Kit, codes: bytes, sources: bytes) -> None:
    """Takes what an earlier process has packed, whose ``fingerprint`` of ``kit`` was the same."""
    _packed[kit] = Archive(importlib.util.MAGIC_NUMBER, codes, sources)


def fingerprint(kit: Kit) -> str:
    """Of all that the archive is made from: the modules' names and bytes, who packs them, this Python."""
    makers = [(file, Path(file)) for file in (__file__, thinning.__file__)]
    shipped = [(file, path) for _, path, file in _modules(kit)]
    digest = sha256(json.dumps([sys.version, zlib.ZLIB_RUNTIME_VERSION, kit]).encode())
    for file, path in (*makers, *shipped):
        digest.update(file.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _pack(kit: Kit) -> Archive:
    codes: dict[str, tuple[str, bool, CodeType]] = {}
    sources: dict[str, tuple[str, bool, str]] = {}
    for name, path, file in _modules(kit):
        package = path.name == "__init__.py"
        text = thinning.thinned(path.read_text(encoding="utf-8"))
        code = compile(text, file, "exec", dont_inherit=True, optimize=2)
        codes[name] = (file, package, _without_lines(code))
        sources[name] = (file, package, text)
    packed = [zlib.compress(marshal.dumps(part), 9) for part in (codes, sources)]
    return Archive(importlib.util.MAGIC_NUMBER, *packed)


def _modules(kit: Kit) -> Iterator[tuple[str, Path, str]]:
    """Module name, path here and path as tracebacks show it."""
    for top in kit.shipped:
        found = sorted((_ROOT / top).rglob("*.py")) if (_ROOT / top).is_dir() else [_ROOT / top]
        for path in found:
            below = path.relative_to(_ROOT).as_posix()
            if not below.startswith(kit.left_out):
                name = f"fleetpush/{below}"
                yield (
                    name.removesuffix(".py").removesuffix("/__init__").replace("/", "."),
                    path,
                    name,
                )


def _without_lines(code: CodeType) -> CodeType:
    """Line tables are two fifths of the bytecode's size; a traceback still names file and function.

    Nor does a function need to know its class, which is for the text of some errors: a twentieth.
    """
    constants = tuple(_without_lines(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_linetable=b"", co_qualname=code.co_name, co_consts=constants)
