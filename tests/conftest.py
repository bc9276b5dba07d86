"""What every test shares: a test that is a coroutine function runs in an event loop of its own."""

import asyncio
import inspect
import os

import pytest
from hypothesis import HealthCheck, settings

# No promise here is about time: on a busy machine an example may take as long as it likes.
settings.register_profile("fleetpush", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleetpush")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True, scope="session")
def no_history(tmp_path_factory):
    """Runs of tests are none of the operator's."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
