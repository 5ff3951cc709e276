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


def site(text: str, head: str = HEAD) -> Site:
    """Return a site that `jieneng check` accepts."""
    found = config_file.decode(config_file.parse(head + text, "site.toml"), Site)
    assert site_check.check(found, {}) == []
    return found


def folder(path: Path, text: str, head: str = HEAD) -> SiteFolder:
    """Write a site to a folder and load it."""
    (path / "site.toml").write_text(head + text, encoding="utf-8")
    return load(path)
