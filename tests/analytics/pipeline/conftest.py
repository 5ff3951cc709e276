"""A store of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jieneng.storage import Store, StoreSettings, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(StoreSettings(), tmp_path)
    await opened.prepare()
    yield opened
    await opened.close()
