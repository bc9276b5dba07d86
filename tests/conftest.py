"""What every test shares: a test that is a coroutine function runs in an event loop of its own."""

import asyncio
import inspect

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
