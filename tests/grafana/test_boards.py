"""The boards: committed as built, complete, bounded, and answered by a real database."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import pytest

from analytics.figures.figure import Status
from grafana import boards, build, data_source, queries
from grafana.panel_layout import PanelRow, lay_out
from grafana.panels import GRID_COLUMNS, status_values
from jieneng.locale import translator
from jieneng.metering import line_protocol, schema
from jieneng.metering.schema import Point
from tests.servers import Influx

Json = dict[str, Any]
BOARDS = {name: board(translator("zh")) for name, board in build.board_functions().items()}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['id']}-{panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
DAY_MS = 86_400_000
#: 2025-03-31T16:00Z, the start of a local day in Shanghai.
DAY = 1743436800000


def test_the_committed_files_are_what_the_builders_write() -> None:
    assert build.check() == [], "run `jieneng grafana build` and commit what it writes"


def test_check_names_what_was_changed_what_is_missing_and_what_nobody_made(tmp_path: Path) -> None:
    changed, missing, *_ = build.build(tmp_path)
    assert build.check(tmp_path) == []
    changed.write_text("edited by hand")
    missing.unlink()
    stray = tmp_path / "dashboards" / "jieneng" / "old.json"
    stray.write_text("{}")
    assert build.check(tmp_path) == sorted([changed, missing, stray])


def test_a_file_in_the_folder_of_boards_is_a_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "water_of_a_day.py").write_text(
        'def board(translate):\n    return {"title": "用水"}\n'
    )
    (folder / "shared_rows.py").write_text("ROWS = ()\n")
    monkeypatch.setattr(boards, "__path__", [*boards.__path__, str(folder)])
    assert set(build.board_functions()) == {*BOARDS, "water-of-a-day"}
    build.build(tmp_path / "out")
    built = tmp_path / "out" / "dashboards" / "jieneng" / "water-of-a-day.json"
    assert json.loads(built.read_text(encoding="utf-8")) == {"title": "用水"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"]
    assert defaults["unit"]
    assert defaults["noValue"] == "—"
    assert panel["datasource"]["uid"] == data_source.UID
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == data_source.UID
        assert target["rawQuery"] is True


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_is_bounded_in_time_and_names_only_what_the_schema_has(panel: Json) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        text = target["query"]
        assert text.count("$timeFilter") == text.upper().count("SELECT") == 1
        measurement = re.findall(r'FROM "(\w+)"', text)[0]
        known = {*schema.TAGS[measurement], *schema.FIELDS[measurement], measurement}
        assert set(re.findall(r'"(\w+)"', text)) <= known


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_selects_and_never_computes(panel: Json) -> None:
    """An indicator has one definition, in the analytics; on a board it is only shown."""
    for target in panel["targets"]:
        columns = target["query"].removeprefix("SELECT ").split(" FROM ")[0]
        assert re.fullmatch(r'(last\("\w+"\) AS "\w+"(, )?)+', columns)


def test_names_that_are_not_in_the_schema_are_refused() -> None:
    with pytest.raises(ValueError, match="measurement"):
        queries.latest("power", ("value",), {})
    with pytest.raises(ValueError, match="field"):
        queries.latest(schema.INDICATOR, ("values",), {})
    with pytest.raises(ValueError, match="tag"):
        queries.latest(schema.INDICATOR, ("value",), {"building": "x"})


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_panels_lie_on_the_grid_and_none_on_another(board: Json) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for spot in places:
        assert 0 <= spot["x"] < spot["x"] + spot["w"] <= GRID_COLUMNS
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_a_row_of_panels_fills_the_width(count: int) -> None:
    placed = lay_out([PanelRow(4, tuple({"title": str(number)} for number in range(count)))])
    assert sum(panel["gridPos"]["w"] for panel in placed) == GRID_COLUMNS


def test_uids_are_fixed_and_verdicts_are_all_worded() -> None:
    assert BOARDS["targets-overview"]["uid"] == "jieneng-targets-overview"
    assert set(status_values(str)) == set(get_args(Status))


def test_a_board_in_english_has_no_chinese_in_it() -> None:
    for board in build.board_functions().values():
        text = json.dumps(board(translator("en")), ensure_ascii=False)
        assert not re.search("[\u4e00-\u9fff]", text)


def test_no_secret_stands_in_the_data_source() -> None:
    assert "Token $INFLUX_TOKEN" in data_source.DATA_SOURCES_YAML
    assert f"uid: {data_source.UID}" in data_source.DATA_SOURCES_YAML


# --- against a real database --------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(influx: Influx) -> Iterator[tuple[Influx, str]]:
    """A database with one of everything that the boards show."""
    name = "boards"
    request(influx, "query", {"q": f'CREATE DATABASE "{name}"'}, b"")
    lines = line_protocol.encode(sample_points())
    request(influx, "write", {"db": name, "precision": "ms"}, lines)
    yield influx, name
    request(influx, "query", {"q": f'DROP DATABASE "{name}"'}, b"")


def sample_points() -> list[Point]:
    judged = ("energy_per_floor_area", "energy_per_capita", "water_per_capita")
    caps = ("energy_total", "water_total")
    points = [
        *(indicator(name, "2025", schema.NO_SERIES) for name in (*judged, *caps)),
        *(indicator("carbon_per_floor_area", "2025", series) for series in ("fixed", "current")),
    ]
    for name, field in (
        ("electricity", "energy_kwh"),
        ("water", "volume_m3"),
        ("gas", "volume_m3"),
    ):
        points.append(indicator(name, "2025-03", schema.NO_SERIES))
        tags = {"kind": "area", "scope": "block-1", "medium": name, "interval": "day"}
        points.append(point(schema.CONSUMPTION, tags, {field: 812.5, "coverage": 1.0}))
    points.append(point(schema.AGENT, {"agent": "agent-1"}, {"online": 1.0, "boot": "6f1c2a9e"}))
    counts = {"read": 10.0, "stored": 7.0, "pending": 2.0, "dropped": 1.0}
    points.append(point(schema.LEDGER, {"agent": "agent-1"}, counts))
    return points


def indicator(name: str, period: str, series: str) -> Point:
    tags = {"scope": "block-1", "indicator": name, "period": period, "series": series}
    fields: dict[str, schema.Value | None] = dict.fromkeys(schema.FIELDS[schema.INDICATOR], 0.93)
    return point(schema.INDICATOR, tags, {**fields, "status": "on_track"})


def point(measurement: str, tags: dict[str, str], fields: Any) -> Point:
    made = schema.point(measurement, {"site": "huaian-centre", **tags}, fields, DAY)
    assert made is not None
    assert set(dict(made.tags)) == set(schema.TAGS[measurement])
    return made


def request(influx: Influx, path: str, parameters: dict[str, str], body: bytes) -> Json:
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{influx.url}/{path}?{query}", data=body) as answer:  # noqa: S310 - loopback
        text = answer.read()
    return json.loads(text) if text else {}


def filled_in(text: str) -> str:
    """A query as Grafana sends it."""
    for variable, value in {
        "$timeFilter": f"time >= {DAY - DAY_MS}ms and time <= {DAY + DAY_MS}ms",
        "$__interval": "1d",
        "$site": "huaian-centre",
        "$scope": "block-1",
        "$period": "2025",
    }.items():
        text = text.replace(variable, value)
    assert "$" not in text.replace("$/", "")
    return text


@pytest.mark.parametrize("panel", PANELS)
def test_a_real_database_answers_with_rows(stored: tuple[Influx, str], panel: Json) -> None:
    influx, name = stored
    for target in panel["targets"]:
        answer = request(influx, "query", {"db": name, "q": filled_in(target["query"])}, b"")
        (result,) = answer["results"]
        assert "error" not in result
        assert [series for series in result["series"] if series["values"]]


@pytest.mark.parametrize("panel", PANELS)
def test_the_columns_that_are_named_come_back(stored: tuple[Influx, str], panel: Json) -> None:
    """An override on a column that never comes would hide a renamed field."""
    influx, name = stored
    come: set[str] = set()
    for target in panel["targets"]:
        answer = request(influx, "query", {"db": name, "q": filled_in(target["query"])}, b"")
        for series in answer["results"][0]["series"]:
            come |= {*series["columns"], *series.get("tags", {}), *series.get("tags", {}).values()}
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        assert matcher["id"] == "byRegexp" or matcher["options"] in come


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_variables_offer_what_is_stored(stored: tuple[Influx, str], board: Json) -> None:
    influx, name = stored
    offered = {}
    for variable in board["templating"]["list"]:
        answer = request(influx, "query", {"db": name, "q": filled_in(variable["query"])}, b"")
        values = [row[1] for row in answer["results"][0]["series"][0]["values"]]
        pattern = re.compile(variable["regex"].strip("/"))
        offered[variable["name"]] = [value for value in values if pattern.search(value)]
    assert offered == {"site": ["huaian-centre"], "scope": ["block-1"], "period": ["2025"]}
