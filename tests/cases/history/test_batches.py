"""Imports are numbered, a second file for the same time asks, and a mistake can be undone."""

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite

DAY = timedelta(days=1)
JUNE = datetime(2024, 6, 1)


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    return CaseSite(tmp_path)


def register(days: int, per_day: float = 200.0, first: float = 1000.0) -> dict[datetime, float]:
    """Return a register that is read each midnight from 1 June 2024 on."""
    return {JUNE + day * DAY: first + per_day * day for day in range(days + 1)}


def stored(site: CaseSite, table: str = "electricity") -> list[tuple[object, ...]]:
    """Return all points of a table of the store."""
    with closing(sqlite3.connect(site.folder / "store.sqlite")) as db:
        return sorted(db.execute(f'SELECT * FROM "{table}"').fetchall())  # noqa: S608


def june(site: CaseSite) -> float | None:
    value = site.figure("electricity", "2024-06")["value"]
    return None if value is None else float(value)


WRONG = JUNE + 10 * DAY + timedelta(hours=7)


def test_a_second_file_for_the_same_time_asks_and_replaces(site: CaseSite) -> None:
    """A digit too many stayed in the store for ever, and made 50 million kWh."""
    site.load(site.readings((register(30) | {WRONG: 50_136_400.0}).items(), name="wrong.csv"))
    before = stored(site)
    right = site.readings(register(30).items(), name="right.csv")
    done = site.run("import", "readings", right)
    assert (done.code, stored(site)) == (1, before)
    assert "1 " in done.err
    assert "2024-06-11 07:00 至 2024-06-11 07:00" in done.err
    assert re.search(r"2024.*50,13\d,\d{3}\.\d kWh.*6,000\.0 kWh", done.err)
    done = site.load(right, "--replace")
    assert len(stored(site)) == 31
    assert june(site) == pytest.approx(6000.0)
    site.load(right)
    assert june(site) == pytest.approx(6000.0)


def test_other_times_in_the_same_time_ask_too(site: CaseSite) -> None:
    site.load(site.readings((register(30) | {WRONG: 50_136_400.0}).items(), name="wrong.csv"))
    shifted = {time + timedelta(hours=1): value for time, value in register(29).items()}
    other = site.readings(shifted.items(), name="other.csv")
    assert site.run("import", "readings", other).code == 1
    site.load(other, "--replace")
    assert [row[1] for row in stored(site)].count(50_136_400.0) == 0
    assert len(stored(site)) == 30 + 2, "the first and the last one lie outside of the file"


def test_what_fits_between_may_be_kept(site: CaseSite) -> None:
    site.load(site.readings(register(30).items(), name="days.csv"))
    noon = {time + timedelta(hours=12): value + 100.0 for time, value in register(29).items()}
    file = site.readings(noon.items(), name="noons.csv")
    assert site.run("import", "readings", file).code == 1
    site.load(file, "--keep")
    assert len(stored(site)) == 61
    differs = site.readings([(JUNE, 900.0)], name="differs.csv")
    assert site.run("import", "readings", differs, "--keep").code == 1


def test_an_import_is_undone_to_the_figure_before(site: CaseSite) -> None:
    site.load(site.readings(register(30).items(), name="days.csv"))
    before, figure = stored(site), june(site)
    wrong = register(30, per_day=2000.0)
    site.load(site.readings(wrong.items(), name="wrong.csv"), "--replace")
    assert june(site) == pytest.approx(60_000.0)
    assert site.run("import", "undo", 2).code == 0
    assert (stored(site), june(site)) == (before, figure)
    assert site.run("import", "undo", 2).code == 2
    assert site.run("import", "undo", 1).code == 0
    assert (stored(site), june(site)) == ([], None)


def test_a_batch_under_a_later_one_is_not_undone(site: CaseSite) -> None:
    site.load(site.readings(register(30).items(), name="days.csv"))
    site.load(site.readings([(JUNE + 30 * DAY, 7001.0)], name="last.csv"), "--replace")
    done = site.run("import", "undo", 1)
    assert done.code == 2
    assert " 2 " in done.err
    site.load(site.readings([(JUNE + 40 * DAY, 9000.0)], name="later.csv"))
    assert site.run("import", "undo", 2).code == 0
    assert site.run("import", "undo", 1).code == 0, "the third one has other times"


def test_imports_are_listed_and_shown(site: CaseSite) -> None:
    assert site.run("import", "list").code == 0
    file = site.readings([*register(3).items(), (JUNE + 4 * DAY, "bad")], name="days.csv")
    site.load(file, "--skip-bad")
    listed = site.run("import", "list").out
    assert "days.csv" in listed
    shown = site.run("import", "show", 1).out
    assert "e-a energy_kwh" in shown
    assert '"skip_bad":true' in shown
    assert re.search(r"\b6\b", shown), "the line that was left out"
    assert re.search(r"[0-9a-f]{64}", shown)
    assert site.run("import", "show", 2).code == 2
    assert site.run("import", "undo", 7).code == 2


def test_a_dry_run_has_no_number(site: CaseSite) -> None:
    site.load(site.readings(register(3).items()), "--dry-run")
    assert "readings.csv" not in site.run("import", "list").out
    assert not (site.folder / "imports").exists()
    assert not (site.folder / "store.sqlite").exists()


def test_a_dry_run_says_what_contradicts(site: CaseSite) -> None:
    site.load(site.readings(register(3).items(), name="days.csv"))
    done = site.run("import", "readings", site.readings([(JUNE, 7.0)]), "--dry-run")
    assert done.code == 1
    assert "2024-06-01 00:00" in done.err


def test_registers_in_the_time_of_intervals_ask(site: CaseSite) -> None:
    """The consumption of an interval takes precedence, so the registers would not count."""
    days = [(time, 180.0) for time in register(29)]
    site.load(site.readings(days, name="intervals.csv"), "--kind", "interval")
    file = site.readings(register(30).items(), name="registers.csv")
    assert site.run("import", "readings", file).code == 1
    assert june(site) == pytest.approx(5400.0)
    site.load(file, "--replace")
    assert june(site) == pytest.approx(6000.0)
    assert site.run("import", "undo", 2).code == 0
    assert june(site) == pytest.approx(5400.0)


def test_an_interval_that_reaches_into_the_file_asks(site: CaseSite) -> None:
    quarter = [(datetime(2024, 4, 1), 9_100.0)]
    options = ("--kind", "interval", "--interval-s", 91 * 86400)
    site.load(site.readings(quarter, name="quarter.csv"), *options)
    days = [(time, 180.0) for time in register(29)]
    file = site.readings(days, name="days.csv")
    done = site.run("import", "readings", file, "--kind", "interval")
    assert done.code == 1
    assert "2024-07-01 00:00" in done.err, "the end of the quarter that would be removed"
    assert site.run("import", "readings", file, "--kind", "interval", "--keep").code == 1
    site.load(file, "--kind", "interval", "--replace")
    assert june(site) == pytest.approx(5400.0)
    assert site.run("import", "undo", 2).code == 0
    assert june(site) == pytest.approx(3000.0)


def test_intervals_that_follow_registers_do_not_ask(site: CaseSite) -> None:
    site.load(site.readings(register(15).items(), name="registers.csv"))
    days = [(JUNE + day * DAY, 100.0) for day in range(15, 30)]
    site.load(site.readings(days, name="intervals.csv"), "--kind", "interval")
    assert june(site) == pytest.approx(15 * 200.0 + 15 * 100.0)


def test_a_service_beside_finds_the_days_of_an_undo(site: CaseSite) -> None:
    """The undo marks its days, so they are computed also if the command does not."""
    site.load(site.readings(register(30).items(), name="days.csv"))
    site.load(site.readings(register(30, 300.0).items(), name="other.csv"), "--replace")
    assert june(site) == pytest.approx(9000.0)
    assert site.run("import", "undo", 2, "--no-backfill").code == 0
    assert june(site) == pytest.approx(6000.0)
    assert site.run("import", "undo", 1, "--no-backfill").code == 0
    assert june(site) is None


def test_an_import_is_not_undone_in_another_store(site: CaseSite) -> None:
    """The batch was marked as undone, and its values stayed in the first store for ever."""
    site.load(site.readings(register(30).items()))
    for service in ("ingest", "analytics"):
        site.file(f"{service}.toml", ["[store]", 'path = "new.sqlite"'])
    refused = site.run("import", "undo", 1)
    assert refused.code == 2
    for service in ("ingest", "analytics"):
        (site.folder / f"{service}.toml").unlink()
    assert june(site) == 6000.0
    assert site.run("import", "undo", 1).code == 0
    assert june(site) is None
