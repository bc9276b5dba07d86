import pytest


@pytest.fixture(autouse=True)
def _servers_that_complain_of_nothing(tmp_path):
    yield
    logs = {path: path.read_text() for path in tmp_path.glob("**/server.log")}
    assert not any(logs.values()), logs
