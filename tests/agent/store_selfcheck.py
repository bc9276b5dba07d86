"""A small life of the stores, for every Python that hosts may have. ``python -I -W error THIS ROOT DIR``."""

import os
import sys

sys.path.insert(0, sys.argv[1])

from fleetpush.agent.source import SourceChanged, SourceStore
from fleetpush.agent.store import HostStore, StoreError
from tests.agent.content import make_content, place, scan


def main(folder: str) -> None:
    content = make_content({"a": 300_000, "empty": 0, "sub/b": 200_001})
    first = HostStore(content.manifest, place(folder + "/made/"))
    assert first.open() == "new"
    scan(first)
    content.give(first, 1)
    second = HostStore(content.manifest, place(folder + "/made/"))
    try:
        second.open()
    except StoreError as error:
        if error.slug != "dest_busy":
            raise
    else:
        raise AssertionError("two runs at once")
    second.close()
    first.flush()
    first.close()

    third = HostStore(content.manifest, place(folder + "/made/", mode=0o640), verify_full=True)
    assert third.open() == "partial"
    scan(third)
    assert third.have == 2
    content.complete(third)
    third.close()
    left = sorted(name for _, _, names in os.walk(folder) for name in names)
    assert left == ["a", "b", "empty"], left

    paths = [f"{folder}/made/{file.path}" for file in content.manifest.files]
    source = SourceStore(content.manifest, paths)
    assert source.read_block(3, 0) == bytes(content.block(3, 0))
    os.truncate(paths[2], 5)
    try:
        source.leaves(2)
    except SourceChanged:
        pass
    else:
        raise AssertionError("a source that became shorter")
    source.close()


main(sys.argv[2])
print("the stores work")
