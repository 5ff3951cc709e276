"""Times and periods are read rightly in all notations."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.importing.cells.cell import BadCell, Cell
from ingest.importing.cells.notation import USUAL_TIMES, DateOrder, TimeNotation
from ingest.importing.cells.time_reader import TimeReader

SHANGHAI, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
WIDE = str.maketrans("0123456789:/-", "０１２３４５６７８９：／－")
HALVES = {"zh": ("上午", "下午"), "en": ("AM", "PM")}
DATES = {
    "2024-01-05": "{0.year:04}-{0.month:02}-{0.day:02}",
    "2024/1/5": "{0.year}/{0.month}/{0.day}",
    "2024.1.5": "{0.year}.{0.month}.{0.day}",
    "2024年1月5日": "{0.year}年{0.month}月{0.day}日",
    "2024 年 01 月 05 日": "{0.year} 年 {0.month:02} 月 {0.day:02} 日",
    "20240105": "{0.year}{0.month:02}{0.day:02}",
    "5-Jan-2024": "{0.day}-{0:%b}-{0.year}",
    "Jan 5, 2024": "{0:%B} {0.day}, {0.year}",
    "2024/1/5 星期五": "{0.year}/{0.month}/{0.day} 星期五",
}
ORDERED: dict[str, tuple[DateOrder, str]] = {
    "05/01/2024": ("dmy", "{0.day:02}/{0.month:02}/{0.year}"),
    "1/5/2024": ("mdy", "{0.month}/{0.day}/{0.year}"),
    "05.01.24": ("dmy", "{0.day:02}.{0.month:02}.{0:%y}"),
    "1/5/24": ("mdy", "{0.month}/{0.day}/{0:%y}"),
    "24-01-05": ("ymd", "{0:%y-%m-%d}"),
}
CLOCKS = {
    "0:15": "{0.hour}:{0.minute:02}",
    "00:15:30": "{0:%H:%M:%S}",
    "00:15:30.250": "{0:%H:%M:%S}.{1:03}",
    "0时15分": "{0.hour}时{0.minute:02}分",
    "0时15分30秒": "{0.hour}时{0.minute}分{0.second}秒",
    "0点15分": "{0.hour}点{0.minute}分",
}
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30))  # noqa: DTZ001


def ms(moment: datetime, zone: ZoneInfo = SHANGHAI) -> int:
    return round(moment.replace(tzinfo=zone).timestamp() * 1000)


def rounded(moment: datetime, clock: str) -> datetime:
    """Return a time, rounded to the resolution of a notation."""
    if "30.250" in clock:
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return moment.replace(microsecond=0, second=moment.second if "30" in clock else 0)


def reader(**notation: object) -> TimeReader:
    return TimeReader(SHANGHAI, TimeNotation(**notation))  # type: ignore[arg-type]


@given(
    moment=MOMENTS,
    day=st.sampled_from(sorted(DATES)),
    clock=st.sampled_from(sorted(CLOCKS)),
    wide=st.booleans(),
)
def test_a_time_reads_back_in_every_notation(
    moment: datetime, day: str, clock: str, wide: bool
) -> None:
    day_text = DATES[day].format(moment)
    clock_text = CLOCKS[clock].format(moment, moment.microsecond // 1000)
    if wide:
        day_text, clock_text = day_text.translate(WIDE), clock_text.translate(WIDE)
    expected = ms(rounded(moment, clock))
    times = reader()
    for _ in range(2):  # the second time from memory
        assert times.read(f"{day_text} {clock_text}") == expected
        assert times.read_two(day_text, clock_text) == expected
    assert times.read(day_text) == ms(datetime.combine(moment, time()))


@given(
    moment=MOMENTS,
    notation=st.sampled_from(sorted(ORDERED)),
    half=st.sampled_from(["", "zh", "en"]),
)
def test_a_date_reads_back_in_the_order_of_its_column(
    moment: datetime, notation: str, half: str
) -> None:
    order, form = ORDERED[notation]
    text = form.format(moment)
    clock = f"{moment:%H:%M}"
    if half:
        hour = f"{(moment.hour - 1) % 12 + 1}:{moment.minute:02}"
        word = HALVES[half][moment.hour >= 12]
        clock = f"{word} {hour}" if half == "zh" else f"{hour} {word}"
    assert reader(order=order).read(f"{text} {clock}") == ms(
        moment.replace(second=0, microsecond=0)
    )


@given(MOMENTS, st.integers(4, 12))
def test_a_day_of_a_spreadsheet_reads_back_to_the_minute(moment: datetime, decimals: int) -> None:
    moment = moment.replace(second=0, microsecond=0)
    number = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    assert reader().read(f"{number:.{decimals}f}") == ms(moment)
    assert reader().read(number) == ms(moment)
    assert reader(from_1904=True).read(number - 1462) == ms(moment)


@given(MOMENTS)
def test_numbers_since_1970_read_back(moment: datetime) -> None:
    time_ms = ms(moment) // 1000 * 1000
    assert reader(epoch="ms").read(str(time_ms)) == time_ms
    assert reader(epoch="s").read(time_ms // 1000) == time_ms
    assert reader().read(datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()) == time_ms


@pytest.mark.parametrize(
    ("cell", "local"),
    [
        ("2024/1/5 24:00", "2024-01-06 00:00"),
        ("2024-12-31 24:00:00", "2025-01-01 00:00"),
        ("2024年1月5日24时", "2024-01-06 00:00"),
        ("2024年1月5日0:15", "2024-01-05 00:15"),
        ("2024/1/5上午12:30", "2024-01-05 00:30"),
        ("2024/1/5 下午 12:30", "2024-01-05 12:30"),
        ("2024/1/5 下午15:30", "2024-01-05 15:30"),
        ("2024/1/5 8 pm", "2024-01-05 20:00"),
        ("2024-01-05T00:15", "2024-01-05 00:15"),
        ("20240105T0015", "2024-01-05 00:15"),
        ("20240105 001530", "2024-01-05 00:15:30"),
        ("202401050015", "2024-01-05 00:15"),
        ("2024-01-05T09", "2024-01-05 09:00"),
        ("2024-01-04T16:15Z", "2024-01-05 00:15"),
        ("2024-01-04 18:15:00+02:00", "2024-01-05 00:15"),
        (20240105, "2024-01-05 00:00"),
        (45296.0104, "2024-01-05 00:15"),
        (45296, "2024-01-05 00:00"),
        (date(2024, 1, 5), "2024-01-05 00:00"),
        (datetime(2024, 1, 5, 0, 14, 59, 999_999), "2024-01-05 00:15"),  # noqa: DTZ001
    ],
)
def test_notations(cell: Cell, local: str) -> None:
    assert reader().read(cell) == ms(datetime.fromisoformat(local))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "not a time"),
        ("soon", "not a time"),
        ("2024-13-01", "not a time"),
        ("2024/2/30 8:00", "not a time"),
        ("2024-01-05 24:15", "not a time"),
        ("2024-01-05 12:60", "not a time"),
        ("2024-01-05 晚上12:00", "not a time"),
        ("2024/1/5 上午13:00", "not a time"),
        ("05/01/2024", "--date-order"),
        ("2024-01", "is a period"),
        ("1月5日 0:15", "a date without a year"),
        ("2024年第一季度", "is a period"),
        ("1704412800", "--epoch"),
        ("1704412800000", "--epoch"),
        ("12", "not a time"),
        ("45296.01", "too few decimals"),
        ("1924-01-01", "before 2000"),
        (time(8), "not a time"),
        (None, "not a time"),
        (True, "not a time"),
    ],
)
def test_what_is_no_time_is_refused(cell: Cell, said: str) -> None:
    with pytest.raises(BadCell) as caught:
        reader().read(cell)
    error = caught.value
    assert said in f"{error.text} {error.fix}".format(column="x", **error.values)


def test_a_date_without_a_year_has_the_year_of_the_file() -> None:
    times = reader(year=2024)
    for text in ("1月5日 0:15", "01月05日0时15分"):
        assert times.read(text) == ms(datetime(2024, 1, 5, 0, 15))  # noqa: DTZ001
    assert times.read_two("1月5日", "0:15") == ms(datetime(2024, 1, 5, 0, 15))  # noqa: DTZ001
    assert times.read_span("1月5日").unit == "day"
    with pytest.raises(BadCell):
        reader(year=2025).read("2月29日")


def test_clock_changes_are_refused_from_memory_too() -> None:
    times = TimeReader(LONDON)
    assert times.read("2022-03-26 01:30") == ms(datetime(2022, 3, 26, 1, 30), LONDON)  # noqa: DTZ001
    for text in ("2022-03-27 01:30", "2022-10-30 01:30"):
        for _ in range(2):
            with pytest.raises(BadCell):
                times.read(text)
            with pytest.raises(BadCell):
                times.read_two(*text.split())


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        ("2024/1/5", "0:15"),
        ("2024/1/5 0:00:00", "00:15:00"),
        (datetime(2024, 1, 5), time(0, 15)),  # noqa: DTZ001
        (date(2024, 1, 5), timedelta(minutes=15)),
        (45296, 1 / 96),
        ("45296", "0015"),
        ("20240105", "上午12:15"),
        ("2024年1月5日", datetime(1899, 12, 30, 0, 15)),  # noqa: DTZ001
    ],
)
def test_date_and_time_of_day_in_two_cells(day: Cell, clock: Cell) -> None:
    assert reader().read_two(day, clock) == ms(datetime(2024, 1, 5, 0, 15))  # noqa: DTZ001


def test_a_day_s_end_in_its_own_cell_is_the_next_midnight() -> None:
    for clock in ("24:00", timedelta(days=1), 1.0):
        assert reader().read_two("2024-01-05", clock) == ms(datetime(2024, 1, 6))  # noqa: DTZ001
    for wrong in ("", None, "x", 2.0, "25:00"):
        with pytest.raises(BadCell):
            reader().read_two("2024-01-05", wrong)
    for wrong in ("", None, "2024-01", "2024-01-05 08:00", 5):
        with pytest.raises(BadCell):
            reader().read_two(wrong, "08:00")


@pytest.mark.parametrize(
    ("cells", "first", "until", "unit"),
    [
        ("2024-01-05 2024年1月5日 20240105 45296", "2024-01-05", "2024-01-06", "day"),
        (
            "2020-01 202001 2020年1月 2020年01月份 2020/1 2020.01",
            "2020-01-01",
            "2020-02-01",
            "month",
        ),
        ("Jan-20 January-2020", "2020-01-01", "2020-02-01", "month"),
        ("2024-12 2024年12月", "2024-12-01", "2025-01-01", "month"),
        ("2024Q1 2024-Q1 2024年1季度 2024年第一季度", "2024-01-01", "2024-04-01", "quarter"),
        ("Q4-2024 2024年四季", "2024-10-01", "2025-01-01", "quarter"),
        ("2024年下半年 2024H2", "2024-07-01", "2025-01-01", "half"),
        ("2024-W05 2024W05 2024年第5周", "2024-01-29", "2024-02-05", "week"),
        ("2021-W53", "2022-01-03", "2022-01-10", "none"),
        ("2024 2024年 2024年度", "2024-01-01", "2025-01-01", "year"),
        ("2024.1.1-2024.3.31 2024-01-01-2024-03-31", "2024-01-01", "2024-04-01", "range"),
        ("2024-01-01~2024-03-31 20240101-20240331", "2024-01-01", "2024-04-01", "range"),
        ("2024年1月1日至2024年3月31日 2024年1-3月", "2024-01-01", "2024-04-01", "range"),
        ("2024年1月至3月 2024-01~2024-03", "2024-01-01", "2024-04-01", "range"),
    ],
)
def test_periods(cells: str, first: str, until: str, unit: str) -> None:
    days = tuple(ms(datetime.fromisoformat(day)) for day in (first, until))
    for cell in cells.split():
        if unit == "none":  # 2021 had no week 53
            with pytest.raises(BadCell):
                reader().read_span(cell)
        else:
            span = reader().read_span(cell)
            assert (span.start_ms, span.end_ms, span.unit) == (*days, unit), cell


def test_values_of_a_spreadsheet_are_days_and_months() -> None:
    day = datetime(2024, 1, 5)  # noqa: DTZ001 - as a sheet has it
    spans = {reader().read_span(cell) for cell in (day, day.date(), 45296, 45296.0)}
    assert {(span.start_ms, span.unit) for span in spans} == {(ms(day), "day")}
    assert reader().read_span(202401).unit == "month"
    assert reader().read_span(2024.0).unit == "year"


def test_a_cell_with_a_time_of_day_is_a_moment() -> None:
    for cell in ("2024-01-05 00:15", 45296.0104, datetime(2024, 1, 5, 0, 15)):  # noqa: DTZ001
        span = reader().read_span(cell)
        assert (span.start_ms, span.end_ms, span.unit) == (
            *[ms(datetime(2024, 1, 5, 0, 15))] * 2,  # noqa: DTZ001
            "moment",
        )
    for wrong in ("2024-13", "2024Q5", "2024.3.1-2024.2.1", "x", "", None, "1234.5"):
        with pytest.raises(BadCell):
            reader().read_span(wrong)


@given(st.text(max_size=16) | st.floats() | st.integers())
def test_any_cell_is_a_time_or_refused(cell: Cell) -> None:
    for notation in (USUAL_TIMES, TimeNotation(order="dmy"), TimeNotation(epoch="s")):
        times = TimeReader(SHANGHAI, notation)
        for cells in ((cell,), (cell, "8:00"), ("2024-01-05", cell)):
            with suppress(BadCell):
                assert times.read(*cells) if len(cells) == 1 else times.read_two(*cells)
        with suppress(BadCell):
            assert times.read_span(cell)
