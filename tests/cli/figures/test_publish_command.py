"""`jieneng publish`: published figures stay unchanged, and later figures are compared with them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.figures.test_indicator_commands import write_site
from tests.cli.run import jieneng

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's site, with 2021 published."""
    folder = write_site(tmp_path_factory.mktemp("county"))
    done = jieneng("import", "readings", folder / "readings.csv", "--site", folder)
    assert done.returncode == 0, done.stderr
    done = jieneng("publish", "2021", "--site", folder, "--by", "Zhang San")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def site(published: Path, tmp_path: Path) -> Path:
    """A copy of the published site, which a test may change."""
    return Path(shutil.copytree(published, tmp_path / "county"))


def content(folder: Path, name: str = "2021") -> bytes:
    return (folder / "published" / f"{name}.json").read_bytes()


def test_what_was_published_is_computed_again_with_the_same_bytes(site: Path) -> None:
    before = content(site)
    done = jieneng("publish", "2021", "--site", site)
    assert done.returncode == 0, done.stderr
    assert "equal the published figures" in done.stdout
    assert content(site) == before
    (site / "published" / "2021.json").unlink()
    assert jieneng("publish", "2021", "--site", site, "--by", "Zhang San").returncode == 0
    assert content(site) == before, "equal inputs give equal bytes"


def test_a_publication_keeps_the_factors_and_the_site(site: Path) -> None:
    kept = json.loads(content(site))
    assert kept["by"] == "Zhang San"
    assert "coal-electricity-equivalent" in {row["id"] for row in kept["rules"]["factors"]}
    assert [area["id"] for area in kept["site"]["area"]] == ["house-a", "house-b"]


def test_a_changed_floor_area_is_shown_beside_the_published_value(site: Path) -> None:
    text = (site / "site.toml").read_text(encoding="utf-8")
    (site / "site.toml").write_text(text.replace("5200.0", "5300.0"), encoding="utf-8")
    before = content(site)
    done = jieneng("publish", "2021", "--site", site)
    assert done.returncode == 1
    value = 0.9 * 120_000 * 0.1229
    for shown in (f"{value / 5200:.5f}"[:6], f"{value / 5300:.5f}"[:6], "site.toml"):
        assert shown in done.stdout
    assert content(site) == before, "nothing is changed without --restate"


def test_a_restatement_keeps_what_it_replaces(site: Path) -> None:
    late = site / "late.csv"
    late.write_text("time,meter,quantity,value\n2022-01-01T00:00:00,e-a,energy_kwh,228600\n")
    done = jieneng("import", "readings", late, "--site", site, "--replace", "--sure")
    assert done.returncode == 0, done.stderr
    before = content(site)
    again = jieneng("publish", "2021", "--site", site)
    assert again.returncode == 1
    assert "Changed since then: the stored consumption" in again.stdout
    done = jieneng(
        "publish", "2021", "--site", site, "--restate", "--by", "Li Si", "--reason", "misread"
    )
    assert done.returncode == 0, done.stderr
    assert content(site, "2021-1") == before
    restated, replaced = json.loads(content(site)), json.loads(before)
    assert (restated["number"], restated["by"], restated["reason"]) == (2, "Li Si", "misread")
    assert restated["restates"] == replaced["digest"]
    assert jieneng("publish", "2021", "--site", site).returncode == 0


def test_a_file_that_was_edited_is_refused(site: Path) -> None:
    file = site / "published" / "2021.json"
    file.write_bytes(content(site).replace(b'"by": "Zhang San"', b'"by": "Li Si"'))
    done = jieneng("publish", "2021", "--site", site)
    assert done.returncode == 2
    assert "2021.json was changed after it was published" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["2020"], "--by NAME"),
        (["2020", "--restate", "--by", "me", "--reason", "why"], "leave out --restate"),
        (["2021", "--restate", "--by", "me"], "and --reason (why)"),
        (["2199", "--by", "me"], "2199 is not over before 2200-01-01"),
        (["last year", "--by", "me"], "is not a period"),
    ],
)
def test_a_wrong_command_says_what_is_missing(
    published: Path, arguments: list[str], sentence: str
) -> None:
    done = jieneng("publish", *arguments, "--site", published)
    assert done.returncode == 2
    assert sentence in done.stderr
