"""The boards: committed as built, complete, bounded, and of stored values only.

`tests/boards` runs their queries on real databases.
"""

import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from analytics.figures.figure import Status
from grafana import boards, build, data_source, queries
from grafana.board_site import BoardSite
from grafana.panel_layout import PanelRow, lay_out
from grafana.panels import GRID_COLUMNS
from grafana.verdicts import status_values
from jieneng.cli.boards.grafana_commands import board_site
from jieneng.locale import translator
from jieneng.metering import schema

Json = dict[str, Any]
FOLDER = Path(build.__file__).parents[1] / "jieneng" / "sites" / "example"
SITE, *_ = board_site(FOLDER, "zh")
ENGLISH, *_ = board_site(FOLDER, "en")
EXAMPLE = SITE.site
BOARDS = build.site_boards(SITE)
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['id']}-{panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] not in ("row", "text")
]


def test_the_committed_files_are_what_the_builders_write() -> None:
    assert build.check(SITE) == [], "run `make grafana` and commit what it writes"


def test_check_names_what_was_changed_what_is_missing_and_what_nobody_made(tmp_path: Path) -> None:
    changed, missing, *_ = build.build(SITE, tmp_path)
    assert build.check(SITE, tmp_path) == []
    changed.write_text("edited by hand")
    missing.unlink()
    stray = tmp_path / "dashboards" / "jieneng" / "old.json"
    stray.write_text("{}")
    assert build.check(SITE, tmp_path) == sorted([changed, missing, stray])


def test_a_file_in_the_folder_of_boards_is_a_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    (folder / "water_of_a_day.py").write_text('def board(site):\n    return {"title": "用水"}\n')
    (folder / "shared_rows.py").write_text("ROWS = ()\n")
    monkeypatch.setattr(boards, "__path__", [*boards.__path__, str(folder)])
    assert set(build.board_functions()) == {*BOARDS, "water-of-a-day"}
    build.build(SITE, tmp_path / "out")
    built = tmp_path / "out" / "dashboards" / "jieneng" / "water-of-a-day.json"
    assert json.loads(built.read_text(encoding="utf-8")) == {"title": "用水"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"]
    assert defaults["unit"]
    assert len(defaults["noValue"]) > len("No data")
    assert defaults["thresholds"]["steps"]
    assert panel["datasource"]["uid"] == data_source.UID
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == data_source.UID
        assert target["rawQuery"] is True


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_no_two_columns_of_a_table_have_one_name(board: Json) -> None:
    """Grafana shows the values of the one in the other."""
    for panel in board["panels"]:
        if panel["type"] == "table":
            names = [
                prop["value"]
                for override in panel["fieldConfig"]["overrides"]
                for prop in override["properties"]
                if prop["id"] == "displayName"
            ]
            assert len(set(names)) == len(names), panel["title"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_is_bounded_in_time_and_names_only_what_the_schema_has(panel: Json) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        text = target["query"]
        assert text.count("$timeFilter") == text.upper().count("SELECT") == 1
        measurement = re.findall(r'FROM "(\w+)"', text)[0]
        known = {*schema.TAGS[measurement], *schema.FIELDS[measurement], measurement}
        named = re.sub(r' AS "\w+"', "", text)
        assert set(re.findall(r'"(\w+)"', named)) <= known


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_selects_and_never_computes(panel: Json) -> None:
    """An indicator has one definition, in the analytics; on a board it is only shown."""
    for target in panel["targets"]:
        columns = target["query"].removeprefix("SELECT ").split(" FROM ")[0]
        assert re.fullmatch(r'((last|min|max)\("\w+"\) AS "\w+"(, )?)+|("\w+"(, )?)+', columns)


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
    assert {board["uid"] for board in BOARDS.values()} == {f"jieneng-{name}" for name in BOARDS}
    assert set(status_values(str)) >= set(get_args(Status))


def test_a_board_in_english_has_no_chinese_in_it() -> None:
    of_quotas = [quota.name for quota in SITE.quotas.levels]
    names = sorted([*SITE.names.values(), *of_quotas], key=len, reverse=True)
    for board in build.site_boards(ENGLISH).values():
        text = json.dumps(board, ensure_ascii=False)
        for name in names:
            text = text.replace(name, "")
        assert not re.search("[\u4e00-\u9fff]", text)


def test_no_secret_stands_in_the_data_source() -> None:
    assert "password: $INFLUX_PASSWORD" in data_source.DATA_SOURCES_YAML
    assert f"uid: {data_source.UID}" in data_source.DATA_SOURCES_YAML


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_people_choose_names_and_queries_get_ids(board: Json) -> None:
    for variable in board["templating"]["list"]:
        assert variable["label"]
        for option in variable["options"]:
            is_named = option["text"] == SITE.names.get(option["value"]) or " · " in option["text"]
            assert is_named or option["text"].startswith(SITE.indicator_name(option["value"]))
    assert board["templating"]["list"][0]["name"] == "site"
    assert board["timezone"] == EXAMPLE.site.timezone


def test_links_lead_to_boards_that_exist_and_set_variables_that_they_have() -> None:
    variables = {
        board["uid"]: {one["name"] for one in board["templating"]["list"]}
        for board in BOARDS.values()
    }
    text = json.dumps(list(BOARDS.values()))
    links = re.findall(r"/d/([\w-]+)(?:\?var-(\w+)=)?", text)
    assert {uid for uid, _ in links} == set(variables) - set()
    for uid, variable in links:
        assert not variable or variable in variables[uid]


def test_a_name_with_a_comma_stays_one_choice() -> None:
    place = msgspec.structs.replace(EXAMPLE.area[0], name="1号楼, 东 : 侧")
    of = BoardSite(msgspec.structs.replace(EXAMPLE, area=(place,)), translator("zh"))
    (scope,) = (
        one
        for one in build.site_boards(of)["targets-overview"]["templating"]["list"]
        if one["name"] == "scope"
    )
    options = re.split(r"(?<!\\), ", scope["query"])
    assert [option.rsplit(" : ", 1)[1] for option in options][1] == "block-1"
    assert options[1].count(" : ") == 1


def test_the_coverage_floor_of_the_settings_is_the_threshold() -> None:
    made = build.site_boards(BoardSite(EXAMPLE, translator("zh"), 0.987))
    del made["edge-fleet"]  # a disk is nearly full from 0.95 on
    strict = json.dumps(made)
    assert '"value": 0.987' in strict
    assert '"coverage\\" < 0.987' in strict
    assert "0.95" not in strict


def test_the_docs_name_every_board_and_no_other() -> None:
    docs = (Path(build.__file__).parents[1] / "docs" / "boards.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `([a-z-]+)` \|.*\| ([^|]+) \|$", docs, re.MULTILINE)
    english = build.site_boards(ENGLISH)
    assert {file: (title, chinese) for title, file, chinese in rows} == {
        name: (english[name]["title"], board["title"]) for name, board in BOARDS.items()
    }


def test_a_site_with_one_water_meter_has_no_board_that_could_show_nothing() -> None:
    meter = next(one for one in EXAMPLE.meter if one.medium == "water")
    alone = msgspec.structs.replace(meter, parent=None, bus=None)
    house = msgspec.structs.replace(EXAMPLE.area[0], id=meter.area, institutions=())
    site = msgspec.structs.replace(EXAMPLE, area=(house,), meter=(alone,), institution=(), bus=())
    made = build.site_boards(BoardSite(site, translator("zh")))
    assert not {"electricity", "gas-and-heat", "sub-items"} & set(made)
    text = json.dumps(made)
    assert "/^()$/" not in text
    assert not re.search(r"/d/jieneng-(electricity|gas-and-heat|sub-items)", text)
    for board in made.values():
        rows = [panel["type"] for panel in board["panels"]]
        assert ("row", "row") not in set(pairwise(rows))
        assert rows[-1] != "row"
