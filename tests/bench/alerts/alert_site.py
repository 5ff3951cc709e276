"""A site of meters on buses with one agent, and a store that is opened and closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from jieneng.metering.quantities import Medium
from jieneng.site_folder import SiteFolder, load
from jieneng.storage import Store

_METERS_OF_BUS: Final = 30
#: 2025-03-26T10:00+08:00, a Wednesday.
NOW_MS: Final = 1_742_954_400_000


def alert_site(
    folder: Path, meters: int, medium: Medium, model: str, interval_s: int
) -> SiteFolder:
    """Write and load a site whose meters are `m0`, `m1` ... in one area."""
    buses = -(-meters // _METERS_OF_BUS)
    text = ['[site]\nid = "bench"\nname = "bench"\n[[area]]\nid = "block"\nname = "block"\n']
    text += [
        f'[[bus]]\nid = "bus-{number}"\nagent = "agent"\nhost = "192.0.2.{number + 1}"\n'
        for number in range(buses)
    ]
    text += [
        f'[[meter]]\nid = "m{number}"\nname = "m{number}"\nmedium = "{medium}"\narea = "block"\n'
        f'model = "{model}"\nbus = "bus-{number // _METERS_OF_BUS}"\n'
        f"unit = {number % _METERS_OF_BUS + 1}\ninterval_s = {interval_s}\nrated_max = 100.0\n"
        for number in range(meters)
    ]
    (folder / "site.toml").write_text("\n".join(text), encoding="utf-8")
    return load(folder)


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[None]:
    """Close the store at the end."""
    await store.prepare()
    try:
        yield
    finally:
        await store.close()
