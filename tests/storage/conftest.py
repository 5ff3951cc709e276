"""Settings of a store to test, by its kind in the registry.

Each kind has two fixtures here or in a plugin: `<kind>_settings`, an empty store that works, and
`<kind>_unreachable_settings`, one that can't be reached. Relative paths lie in `tmp_path`. A kind
that serves several servers has a fixture `<server>_settings` for each further one of `SERVERS`.
"""

from pathlib import Path
from uuid import uuid4

import pytest

from jieneng.storage import StoreSettings

#: Servers that the contract test also runs on, beside one of each kind.
SERVERS = ("influx2",)


def settings_of(
    request: pytest.FixtureRequest, kind: str, *, reachable: bool = True
) -> StoreSettings:
    """Return the settings of a test store of a kind; a kind without fixtures fails."""
    name = f"{kind}_settings" if reachable else f"{kind}_unreachable_settings"
    try:
        settings = request.getfixturevalue(name)
    except pytest.FixtureLookupError:
        pytest.fail(
            f"the registry has a store {kind!r}, but no fixture {name}: add it to {__file__}"
        )
    assert isinstance(settings, StoreSettings)
    return settings


@pytest.fixture
def sqlite_settings() -> StoreSettings:
    return StoreSettings(kind="sqlite", path="store.sqlite")


@pytest.fixture
def sqlite_unreachable_settings(tmp_path: Path) -> StoreSettings:
    (tmp_path / "file").touch()
    return StoreSettings(kind="sqlite", path="file/store.sqlite")


@pytest.fixture
def influx_settings(request: pytest.FixtureRequest) -> StoreSettings:
    server = request.getfixturevalue("influx")  # only here: starting a server is slow
    return StoreSettings(kind="influx", url=server.url, database=f"t{uuid4().hex}")


@pytest.fixture
def influx_unreachable_settings() -> StoreSettings:
    return StoreSettings(kind="influx", url="http://127.0.0.1:1", timeout_s=2.0)


@pytest.fixture
def influx2_settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    server = request.getfixturevalue("influx2")
    name = f"t{uuid4().hex}"
    server.make_bucket(name)
    (tmp_path / "token").write_text(server.token)
    return StoreSettings(
        kind="influx", url=server.url, database=name, token_file=str(tmp_path / "token")
    )
