"""Small sites for tests, written as people write them."""

from pathlib import Path

from jieneng import config_file
from jieneng.metering import site_check
from jieneng.metering.site import Site
from jieneng.site_folder import SiteFolder, load

HEAD = """
[site]
id = "centre"
name = "centre"

[[institution]]
id = "bureau"
name = "bureau"

[[institution]]
id = "office"
name = "office"
"""


def two_part_price(year: int) -> str:
    """Return a `[[price]]` in force from the start of a year to the end of 2026."""
    return f"""
[[price]]
tariff = "jiangsu-two-part"
from = {year}-01-01
to = 2026-12-31
flat = 0.64
purchase = 0.3957
demand = 40.0
"""


def site(text: str, head: str = HEAD) -> Site:
    """Return a site that `jieneng check` accepts."""
    found = config_file.decode(config_file.parse(head + text, "site.toml"), Site)
    assert site_check.check(found, {}) == []
    return found


def folder(path: Path, text: str, head: str = HEAD) -> SiteFolder:
    """Write a site to a folder and load it."""
    (path / "site.toml").write_text(head + text, encoding="utf-8")
    return load(path)
