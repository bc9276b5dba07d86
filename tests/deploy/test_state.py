"""Where state is kept, by the standard's rules."""

from pathlib import Path

import pytest

from fleetpush.deploy.state import state_directory


def test_the_standards_variable_counts_if_it_is_absolute(monkeypatch):
    monkeypatch.setenv("HOME", "/home/hal")
    assert state_directory({"XDG_STATE_HOME": "/state"}) == Path("/state/fleetpush")
    for value in ("", "relative"):
        home = state_directory({"XDG_STATE_HOME": value})
        assert home == Path("/home/hal/.local/state/fleetpush")
    assert state_directory({}) == home


def test_without_a_home_it_says_so(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    with pytest.raises(RuntimeError):
        state_directory({})
