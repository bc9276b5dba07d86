"""A .torrent file (BEP 3): one file, its pieces' SHA-1, and perhaps a tracker."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Bencodable: TypeAlias = "int | bytes | str | Sequence[Bencodable] | Mapping[str, Bencodable]"


class Torrent(NamedTuple):
    """What to give to a BitTorrent client, and the SHA-1 in hexadecimal by which it is known to a tracker."""

    content: bytes
    info_hash: str


def torrent(source: Path, piece: int, announce: str = "") -> Torrent:
    """``piece`` is the length of a piece in bytes, ``announce`` a tracker's URL if there is one."""
    info: dict[str, Bencodable] = {
        "length": source.stat().st_size,
        "name": source.name,
        "piece length": piece,
        "pieces": b"".join(_digests(source, piece)),
    }
    whole: dict[str, Bencodable] = {"info": info}
    if announce:
        whole["announce"] = announce
    digest = hashlib.sha1(bencode(info), usedforsecurity=False).hexdigest()
    return Torrent(bencode(whole), digest)


def bencode(value: Bencodable) -> bytes:
    """Text goes as UTF-8, a mapping's keys in the order of their bytes."""
    match value:
        case int():
            return b"i%de" % value
        case str():
            return bencode(value.encode())
        case bytes():
            return b"%d:%s" % (len(value), value)
        case dict():
            pairs = sorted((key.encode(), item) for key, item in value.items())
            return b"d%se" % b"".join(bencode(key) + bencode(item) for key, item in pairs)
        case list() | tuple():
            return b"l%se" % b"".join(map(bencode, value))
    raise TypeError(f"no bencoding for {type(value).__name__}")


def _digests(source: Path, piece: int) -> Iterator[bytes]:
    with source.open("rb") as file:
        while data := file.read(piece):
            yield hashlib.sha1(data, usedforsecurity=False).digest()
