"""File systems of the spool's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_agent.spool.disk_faults import mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=4m", "tmpfs") as folder:
        yield folder
