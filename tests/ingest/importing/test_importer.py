"""The values of a file are stored, or every line that is wrong is reported with its reason."""

import csv
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import openpyxl
import pytest

from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.import_report import ImportReport
from ingest.importing.importer import import_readings
from jieneng.clock import SystemClock
from jieneng.metering.errors import UsageError
from jieneng.metering.reading import Quality
from jieneng.metering.site import Area, Meter, Site, SiteInfo
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, StoreSettings, open_store

MEDIA = {"e-main": "electricity", "e-2": "electricity", "w-main": "water", "g-main": "gas"}


def site(zone: str = "Asia/Shanghai", media: dict[str, str] = MEDIA) -> Site:
    meters = tuple(
        msgspec.convert({"id": id_, "name": id_, "medium": medium, "area": "a"}, Meter)
        for id_, medium in media.items()
    )
    identity = SiteInfo(id="s", name="s", timezone=zone)
    return Site(site=identity, area=(Area(id="a", name="a"),), meter=meters)


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    return SiteFolder(tmp_path, site(), {})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(StoreSettings(), tmp_path)
    yield opened
    await opened.close()


class Importer:
    """Imports texts and files into a store, and reads them back."""

    def __init__(self, folder: SiteFolder, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.progress: list[int] = []

    async def load(self, text: str, name: str = "f.csv", **options: object) -> ImportReport:
        (self.folder.path / name).write_text(text, encoding="utf-8")
        return await self.file(self.folder.path / name, **options)

    async def file(self, path: Path, **options: object) -> ImportReport:
        chosen = msgspec.structs.replace(ImportOptions(), **options)
        return await import_readings(
            path, self.folder, self.store, chosen, self.progress.append, SystemClock()
        )

    async def stored(
        self, measurement: str = "electricity", field: str = "energy_kwh", **where: str
    ) -> dict[str, float]:
        """Return stored values by UTC time, of the meters that `where` names."""
        found = await self.store.read(
            measurement, field, where=where, start_ms=0, end_ms=4 * 10**12
        )
        return {
            datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M"): float(value)
            for series in found
            for time_ms, value in zip(series.times_ms, series.values, strict=True)
        }


@pytest.fixture
def importer(folder: SiteFolder, store: Store) -> Importer:
    return Importer(folder, store)


LONG = """\
time,meter,quantity,value
2024-01-01 08:00,e-main,energy_kwh,100.5
2024-01-01T09:00:00+08:00,e-main,energy_kwh,101
2024-01-01 09:00,w-main,volume_m3,7
2024/1/1 10:00,e-main,energy_kwh,
2024-01-01 10:00,e-main,power_kw,12.25
"""


async def test_the_long_form_holds_several_quantities_and_local_times(importer: Importer) -> None:
    report = await importer.load(LONG)
    assert (report.layout, report.rows, report.values, report.missing) == ("long", 5, 4, 1)
    assert (report.written, report.problem_count) == (4, 0)
    assert await importer.stored() == {"2024-01-01 00:00": 100.5, "2024-01-01 01:00": 101.0}
    assert await importer.stored("water", "volume_m3") == {"2024-01-01 01:00": 7.0}
    assert await importer.stored(field="power_kw") == {"2024-01-01 02:00": 12.25}
    assert set((await importer.stored(field="quality")).values()) == {float(Quality.MANUAL)}


async def test_old_values_mark_their_days_so_that_they_are_computed_anew(
    importer: Importer,
) -> None:
    await importer.load(LONG)
    for meter in ("e-main", "w-main"):
        marks = await importer.stored("late_day", "written_ms", meter=meter)
        assert list(marks) == ["2023-12-31 16:00"]


async def test_to_import_a_file_again_changes_nothing(importer: Importer) -> None:
    await importer.load(LONG)
    before = await importer.stored()
    again = await importer.load(LONG)
    assert (again.written, again.batch.counts.unchanged, again.batch.number) == (0, 4, None)
    assert await importer.stored() == before


async def test_the_wide_form_takes_each_meter_s_consumption_quantity(importer: Importer) -> None:
    report = await importer.load("time,e-main,w-main\n2024-01-01 08:00,1,2\n2024-01-01 09:00,,3\n")
    assert (report.layout, report.values, report.missing) == ("wide", 3, 1)
    assert await importer.stored() == {"2024-01-01 00:00": 1.0}
    assert await importer.stored("water", "volume_m3") == {
        "2024-01-01 00:00": 2.0,
        "2024-01-01 01:00": 3.0,
    }


async def test_intervals_are_stored_with_their_length_told_from_the_steps(
    importer: Importer,
) -> None:
    report = await importer.load(
        "time,e-main,e-2\n2024-01-01 00:00,1,5\n2024-01-01 00:15,2,\n2024-01-01 00:30,3,6\n"
        "2024-01-01 01:00,3,7\n",
        kind="interval",
    )
    assert [(one.meter, one.interval_s) for one in report.series] == [
        ("e-main", 900.0),
        ("e-2", 1800.0),
    ]
    assert (await importer.stored("interval", "interval_s", meter="e-main"))[
        "2023-12-31 16:00"
    ] == 900
    assert (await importer.stored("interval", meter="e-2"))["2023-12-31 17:00"] == 7.0
    assert await importer.stored() == {}


async def test_intervals_that_would_overlap_are_refused(importer: Importer) -> None:
    text = "time,e-main\n2024-01-01 00:00,1\n2024-01-01 00:15,2\n"
    report = await importer.load(text, kind="interval", interval_s=3600.0)
    assert "overlap" in str(report.problems[0])
    assert report.written == 0
    one = await importer.load("time,e-main\n2024-01-01 00:00,1\n", kind="interval")
    assert "can't be derived" in str(one.problems[0])
    again = await importer.load(
        "time,e-main\n2024-01-01 00:00,1\n", kind="interval", interval_s=900.0
    )
    assert (again.written, again.problem_count) == (1, 0)


BAD_LINES = [
    ("yesterday,e-main,energy_kwh,1", "f.csv:3: column time: 'yesterday' is not a time."),
    ("2024-13-01,e-main,energy_kwh,1", "not a time"),
    ("2024-02-30 10:00,e-main,energy_kwh,1", "not a time"),
    ("2024/2/30 10:00,e-main,energy_kwh,1", "not a time"),
    (",e-main,energy_kwh,1", "column time: '' is not a time"),
    ("1924-01-01,e-main,energy_kwh,1", "before 2000"),
    ("2024-01-01 09:00,e-main,energy_kwh,n/a", "f.csv:3: column value: 'n/a' is not a number."),
    ("2024-01-01 09:00,e-main,energy_kwh,nan", "'nan' is not a number"),
    ("2024-01-01 09:00,e-main,energy_kwh,inf", "'inf' is not a number"),
    ("2024-01-01 09:00,e-main,energy_kwh,1_000", "not a number"),
    ('2024-01-01 09:00,e-main,energy_kwh,"1,00,0"', "not a number"),
    ("2024-01-01 09:00,e-mian,energy_kwh,1", "Did you mean e-main?"),
    ("2024-01-01 09:00,e-main,energy_kw,1", "Did you mean energy_kwh?"),
    ("2024-01-01 09:00,e-main,volume_m3,1", "volume_m3 is not a quantity of meter e-main"),
    ("2024-01-01 09:00,e-main", "this line has 2 cells, but the header has 4"),
    ("2024-01-01 08:00,e-main,energy_kwh,2", "the same time in line 2"),
]


@pytest.mark.parametrize(("line", "said"), BAD_LINES, ids=[line for line, _ in BAD_LINES])
async def test_a_bad_line_is_named_and_nothing_is_written(
    importer: Importer, line: str, said: str
) -> None:
    text = f"time,meter,quantity,value\n2024-01-01 08:00,e-main,energy_kwh,1\n{line}\n"
    report = await importer.load(text + "2024-01-01 11:00,e-main,energy_kwh,3\n")
    assert report.problem_count == 1
    assert report.problems[0].line == 3
    assert said in str(report.problems[0])
    assert report.written == 0
    assert await importer.stored() == {}


async def test_a_time_that_stands_twice_is_refused_wherever_it_stands(importer: Importer) -> None:
    """A row appended to a sorted file replaced the value of its moment, at full coverage."""
    rows = [f"2024-01-{day:02}T00:00:00,e-main,energy_kwh,{day}" for day in range(1, 20)]
    rows.append("2024-01-05T00:00:00,e-main,energy_kwh,99")
    report = await importer.load("\n".join(["time,meter,quantity,value", *rows]) + "\n")
    assert [problem.line for problem in report.problems] == [21]
    assert "the same time in line 6" in str(report.problems[0])
    assert report.written == 0


async def test_rows_out_of_order_are_no_problem(importer: Importer) -> None:
    rows = [f"2024-01-{day:02}T00:00:00,e-main,energy_kwh,{day}" for day in (1, 4, 2, 3, 5)]
    report = await importer.load("\n".join(["time,meter,quantity,value", *rows]) + "\n")
    assert (report.problem_count, report.values) == (0, 5)


@pytest.mark.parametrize("order", [1, -1])
async def test_intervals_taken_for_a_register_are_refused_with_the_mend(
    importer: Importer, order: int
) -> None:
    """A forgotten --kind interval made millions of kilowatt-hours."""
    hours = range(24)[::order]
    rows = [f"2024-01-01T{hour:02}:00:00,e-main,energy_kwh,{30 + hour % 5}" for hour in hours]
    report = await importer.load("\n".join(["time,meter,quantity,value", *rows]) + "\n")
    assert "--kind interval" in str(report.problems[0])
    assert report.written == 0


@pytest.mark.parametrize("order", [1, -1])
async def test_a_register_that_was_replaced_once_is_a_register(
    importer: Importer, order: int
) -> None:
    days = range(1, 29)[::order]
    rows = [
        f"2024-01-{day:02}T00:00:00,e-main,energy_kwh,{900 + day if day < 15 else day}"
        for day in days
    ]
    report = await importer.load("\n".join(["time,meter,quantity,value", *rows]) + "\n")
    assert report.problem_count == 0


@pytest.mark.parametrize(("line", "_"), BAD_LINES[:-1], ids=[line for line, _ in BAD_LINES[:-1]])
async def test_with_skip_bad_the_rest_is_written_and_the_bad_listed(
    importer: Importer, line: str, _: str
) -> None:
    text = f"time,meter,quantity,value\n2024-01-01 08:00,e-main,energy_kwh,1\n{line}\n"
    report = await importer.load(text + "2024-01-01 11:00,e-main,energy_kwh,3\n", skip_bad=True)
    assert report.problem_count == 1
    assert report.written == 2
    assert list((await importer.stored()).values()) == [1.0, 3.0]


async def test_all_problems_are_counted_and_the_first_ones_kept(importer: Importer) -> None:
    rows = "".join(f"2024-01-01 00:{i % 60:02},e-main,energy_kwh,bad\n" for i in range(500))
    report = await importer.load("time,meter,quantity,value\n" + rows)
    assert report.problem_count == 500
    assert [problem.line for problem in report.problems] == list(range(2, 102))


async def test_a_meter_that_is_wrong_everywhere_is_said_once(importer: Importer) -> None:
    rows = "".join(f"2024-01-01 00:{i:02},nosuch,energy_kwh,1\n" for i in range(50))
    assert (await importer.load("time,meter,quantity,value\n" + rows)).problem_count == 1


async def test_wide_columns_are_checked_mapped_and_left_out(importer: Importer) -> None:
    text = "time,b101,e-2,weather\n2024-01-01 08:00,1,2,3\n"
    report = await importer.load(text)
    assert [str(problem) for problem in report.problems] == [
        f"f.csv:1: column {name}: {name} is not a meter of the site. "
        f"State its meter: --column {name}=METER, or leave it out: --column {name}= . "
        "Known are: e-2, e-main, g-main, w-main."
        for name in ("b101", "weather")
    ]
    report = await importer.load(text, columns={"b101": "e-main", "weather": ""})
    assert (report.written, report.problem_count) == (2, 0)
    assert await importer.stored(meter="e-main") == {"2024-01-01 00:00": 1.0}
    twice = await importer.load(text, columns={"b101": "e-2", "weather": ""})
    assert "columns b101 and e-2 both contain energy_kwh of meter e-2" in str(twice.problems[0])


async def test_a_local_time_that_stood_twice_or_never_is_refused_with_its_line(
    store: Store, tmp_path: Path
) -> None:
    importer = Importer(SiteFolder(tmp_path, site("Europe/London"), {}), store)
    text = "time,e-main\n2022-03-27 00:30,1\n2022-03-27 01:30,2\n2022-10-30 01:30,3\n"
    report = await importer.load(text)
    assert [problem.line for problem in report.problems] == [3, 4]
    assert "never occurred in the time zone Europe/London" in str(report.problems[0])
    assert "occurred twice in the time zone Europe/London" in str(report.problems[1])
    report = await importer.load(
        text.replace("03-27 01:30", "03-27 01:30Z").replace("10-30 01:30", "10-30 01:30+01:00")
    )
    assert report.problem_count == 0
    assert list(await importer.stored()) == [
        "2022-03-27 00:30",
        "2022-03-27 01:30",
        "2022-10-30 00:30",
    ]
    report = await importer.load(text, zone=ZoneInfo("UTC"))
    assert report.problem_count == 0


async def test_a_dry_run_says_what_would_be_done_and_does_nothing(importer: Importer) -> None:
    report = await importer.load(LONG, dry_run=True)
    assert (report.values, report.written, report.dry_run) == (4, 0, True)
    main = report.series[0]
    assert (main.meter, main.quantity, main.values, main.missing) == ("e-main", "energy_kwh", 2, 1)
    assert (main.first_ms, main.last_ms) == (1704067200000, 1704070800000)
    assert await importer.stored() == {}


async def test_texts_that_mean_missing_are_the_user_s(importer: Importer) -> None:
    text = "time,e-main\n2024-01-01 08:00,0.0\n2024-01-01 09:00,-\n2024-01-01 10:00,3\n"
    report = await importer.load(text, missing=("0", "-"))
    assert (report.values, report.missing, report.problem_count) == (1, 2, 0)
    assert list((await importer.stored()).values()) == [3.0]


async def test_units_are_converted_exactly(importer: Importer) -> None:
    await importer.load("time,e-main\n2024-01-01 08:00,1234567.8\n", unit="Wh")
    assert list((await importer.stored()).values()) == [1234.5678]
    report = await importer.load("time,w-main\n2024-01-01 08:00,1\n", unit="Wh")
    assert "Wh is not a unit of volume_m3; its unit is m3" in str(report.problems[0])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_csv_as_spreadsheets_write_it(importer: Importer, delimiter: str) -> None:
    text = f"\ufefftime{delimiter}e-main\r\n2024/1/5 8:00{delimiter} 1.5 \r\n\r\n"
    report = await importer.load(text)
    assert (report.written, report.rows, report.problem_count) == (1, 1, 0)
    assert await importer.stored() == {"2024-01-05 00:00": 1.5}


async def test_xlsx_with_real_dates_and_empty_cells(importer: Importer, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["time", "e-main", "w-main"])
    sheet.append([datetime(2024, 1, 1, 8), 1.5, None])  # noqa: DTZ001 - as a spreadsheet has it
    sheet.append([datetime(2024, 1, 1, 8, 59, 59, 999_997), 2, 7])  # noqa: DTZ001
    sheet.append([None, None, None])
    sheet.append(["2024-01-01 10:00", "3.5", "bad"])
    book.create_sheet("other").append(["time", "e-main"])
    book.save(tmp_path / "f.xlsx")
    report = await importer.file(tmp_path / "f.xlsx", skip_bad=True)
    assert [str(one) for one in report.problems] == [
        (
            "f.xlsx:5: column w-main: 'bad' is not a number. "
            "Correct it, leave it empty, or state that it means a missing value: --missing='bad'"
        )
    ]
    assert await importer.stored() == {
        "2024-01-01 00:00": 1.5,
        "2024-01-01 01:00": 2.0,
    }
    assert (await importer.file(tmp_path / "f.xlsx", sheets=("other",))).rows == 0
    with pytest.raises(UsageError, match="has no sheet nosuch; it has Sheet, other"):
        await importer.file(tmp_path / "f.xlsx", sheets=("nosuch",))


async def test_files_that_are_not_what_they_seem(importer: Importer, tmp_path: Path) -> None:
    for name, text in {"a.pdf": "x", "a.xlsx": "no zip", "a.xls": "<html><table>"}.items():
        with pytest.raises(UsageError, match="save it as"):
            await importer.load(text, name)
    with pytest.raises(UsageError, match="is not there"):
        await importer.file(tmp_path / "nosuch.csv")
    (tmp_path / "dir.csv").mkdir()
    with pytest.raises(UsageError, match="can't be read"):
        await importer.file(tmp_path / "dir.csv")


async def test_a_file_that_breaks_off_is_said_and_not_written(
    importer: Importer, tmp_path: Path
) -> None:
    days = (f"2024-{month:02}-{day:02},1.5\n" for month in range(1, 13) for day in range(1, 29))
    whole = gzip.compress(b"time,e-main\n" + "".join(days).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-20])
    (tmp_path / "byte.csv").write_bytes(
        "time,e-main\n2024-01-01 08:00,总表\n".encode() + b"\xff\xff\n"
    )
    (tmp_path / "empty.csv").write_bytes(b"")
    for name, said in {
        "cut.csv.gz": "is damaged",
        "byte.csv": "is not utf-8",
        "empty.csv": "is empty",
    }.items():
        report = await importer.file(tmp_path / name)
        assert any(said in str(problem) for problem in report.problems)
        assert report.written == 0


async def test_a_value_below_a_column_without_a_name_is_not_overlooked(importer: Importer) -> None:
    good = await importer.load("time,e-main,,\n2024-01-01 08:00,1,,\n")
    assert (good.written, good.problem_count) == (1, 0)
    report = await importer.load("time,e-main,\n2024-01-01 08:00,1,5\n")
    assert "f.csv:2: there is a value below a column without a name" in str(report.problems[0])


@pytest.mark.parametrize("header", ["zeit,e-main", "time", "time,nosuch", "meter,value", "time,,"])
async def test_a_header_without_what_is_needed_is_a_problem_of_line_1(
    importer: Importer, header: str
) -> None:
    report = await importer.load(header + "\n2024-01-01 08:00,1\n")
    assert report.problem_count >= 1
    assert report.problems[0].line == 1


async def test_the_measured_hours_of_a_university_come_in_as_they_stand(
    measured: Path, store: Store, tmp_path: Path
) -> None:
    """Source: EECi/Cambridge-Estates-Building-Energy-Archive, UTC; 0 is missing there."""
    file = measured / "cambridge" / "electricity_hourly_kwh.csv.gz"
    with gzip.open(file, "rt") as lines:
        reader = csv.reader(lines)
        names = next(reader)[1:]
        rows = [row for row in reader if row[0].startswith("2021-0")]
    cut = tmp_path / "cambridge.csv.gz"
    with gzip.open(cut, "wt", newline="") as out:
        csv.writer(out).writerows([["datetime", *names], *rows])
    meters = dict.fromkeys(names, "electricity")
    importer = Importer(SiteFolder(tmp_path, site("Europe/London", meters), {}), store)
    report = await importer.file(
        cut, kind="interval", missing=("0",), zone=ZoneInfo("UTC"), quantity="energy_kwh"
    )
    assert report.problem_count == 0
    assert {one.interval_s for one in report.series} == {3600.0}
    for place, name in enumerate(names, 1):
        expected = {
            row[0][:16]: float(row[place]) for row in rows if row[place] and float(row[place])
        }
        assert await importer.stored("interval", meter=name) == expected
    assert report.written == report.values == sum(one.values for one in report.series)
    assert importer.progress == sorted(importer.progress)
    assert importer.progress[-1] == len(rows)


@pytest.mark.long
async def test_memory_grows_by_some_bytes_a_value(importer: Importer, tmp_path: Path) -> None:
    """Values are kept in columns, as much again while they are judged, and texts of times."""
    import tracemalloc

    async def peak(rows: int, year: int) -> int:
        with (tmp_path / "long.csv").open("w") as file:
            file.write("time,e-main,e-2,w-main\n")
            times = np.datetime64(f"{year}-01-01T00:00") + np.arange(rows)
            file.writelines(f"{time},1.5,2.5,3.5\n" for time in times)
        tracemalloc.start()
        try:
            await importer.file(tmp_path / "long.csv")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert await peak(20_000, 2024) - await peak(10_000, 2025) < 200 * 3 * 10_000
