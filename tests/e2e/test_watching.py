"""What the fixtures call litter."""

from __future__ import annotations

from tests.e2e.watching import Scene, litter, resumable

DIGEST = "0123456789ab"


def test_what_is_left_of_ours_is_litter_and_what_was_deployed_or_may_be_resumed_is_not() -> None:
    nothing = frozenset[int]()
    before = Scene({"a": {"old": ""}}, nothing, nothing, frozenset())
    files = ["old", "model.pt", f".model.pt.fleetpush-{DIGEST}", f"tree/.fleetpush-{DIGEST}/7"]
    kept = f".model.pt.fleetpush-{DIGEST}.previous"
    assert [name for name in [*files, kept] if resumable(name)] == files[2:]
    after = Scene({"a": dict.fromkeys(files, "")}, nothing, nothing, frozenset())
    assert litter(before, after) == []
    homes = {"a": dict.fromkeys([*files, kept], "")}
    after = Scene(homes, frozenset([7]), frozenset([20_000]), frozenset(["/tmp/x"]))
    found = ["process 7", "port 20000 is listened on", "/tmp/x was left", f"a: {kept} was left"]
    assert litter(before, after) == found
