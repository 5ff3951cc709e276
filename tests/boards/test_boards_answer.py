"""Every query of every panel against real databases with six years of a simulated site."""

import re
from base64 import b64encode
from urllib.error import HTTPError

import pytest

from jieneng.site_folder import SiteFolder
from tests.boards import simulated_site
from tests.boards.board_queries import Json, Server, answers, max_points, panels, variables
from tests.boards.conftest import write
from tests.servers import Influx2

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.xdist_group("boards")]

#: Fewest rows of a panel over time, and of one of another type.
FEWEST_POINTS = 6
MAX_POINTS = 50_000
#: Columns that may be empty: nothing bounds a doubt, a scope without a cap has no target, and few
#: meters report the power of each phase. The present month has no day off yet, only industry has
#: sharp and deep valley hours, and three offices are too few for a percentile.
MAY_BE_EMPTY = {
    *("doubt", "target", "power_a_kw", "power_b_kw", "power_c_kw", "days_off_share", "percentile"),
    *("sharp_yuan", "deep_valley_yuan", "energy_sharp_kwh", "energy_deep_valley_kwh"),
}
#: Panels about meters without findings, and about scopes without persons.
MAY_BE_SILENT = {"Findings", "Readings with a quality code", "Alerts of this meter that are over"}
#: Meters whose board must show something: one a medium.
METERS = ("e-main", "w-main", "g-main", "h-main", simulated_site.SILENT_METER)
#: An area and an institution; the site is chosen when a board is opened.
SCOPES = ("block-1", "affairs-bureau")


def problems(board: Json, server: Server, chosen: dict[str, str], now_ms: int) -> list[str]:
    """Return what is wrong with the answers of a board's panels."""
    found = []
    for panel in panels(board):
        rows, empty = 0, set[str]()
        for target, series in answers(board, panel, server, chosen, now_ms):
            rows = max([rows, *(len(one["values"]) for one in series)])
            if series:
                columns = series[0]["columns"]
                filled = {
                    column
                    for one in series
                    for row in one["values"]
                    for column, value in zip(columns, row, strict=True)
                    if value is not None
                }
                empty |= {*columns} - filled
            named = re.findall(r'(?:AS|SELECT|,) "(\w+)"', target["query"].split(" FROM ")[0])
            if series and not {*named} <= {*series[0]["columns"], *series[0].get("tags", {})}:
                found.append(f"{panel['title']}: columns {series[0]['columns']}, not {named}")
        fewest = FEWEST_POINTS if panel["type"] == "timeseries" else 1
        if rows < fewest:
            found.append(f"{panel['title']}: {rows} rows")
        if empty - MAY_BE_EMPTY:
            found.append(f"{panel['title']}: no value in {sorted(empty)}")
    return found


def test_every_panel_of_every_board_shows_something(
    boards: dict[str, Json], server: Server, now_ms: int
) -> None:
    assert _problems_of_all(boards, server, now_ms) == {}


def test_every_panel_shows_something_on_influxdb_2_too(
    boards: dict[str, Json], server2: Server, now_ms: int
) -> None:
    assert _problems_of_all(boards, server2, now_ms) == {}


def _problems_of_all(boards: dict[str, Json], server: Server, now_ms: int) -> dict[str, list[str]]:
    found = {}
    for name, board in boards.items():
        chosen = variables(board, server)
        if name == "one-meter":
            chosen["meter"] = simulated_site.SLIPPED_METER
        found[name] = problems(board, server, chosen, now_ms)
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize("meter", METERS)
def test_the_board_of_a_meter_shows_meters_of_every_medium(
    boards: dict[str, Json], server: Server, now_ms: int, meter: str
) -> None:
    board = boards["one-meter"]
    chosen = {**variables(board, server), "meter": meter}
    found = problems(board, server, chosen, now_ms)
    assert [row for row in found if row.split(":")[0] not in MAY_BE_SILENT] == []


def test_phases_are_shown_of_a_meter_that_reports_them(
    boards: dict[str, Json], server: Server, now_ms: int
) -> None:
    board = boards["electricity"]
    chosen = {**variables(board, server), "meter": "e-b1-hvac"}
    (panel,) = (panel for panel in board["panels"] if panel["title"] == "Active power")
    (_, (series,)), *_ = answers(board, panel, server, chosen, now_ms)
    assert None not in series["values"][-1]


@pytest.mark.parametrize("scope", SCOPES)
def test_boards_of_a_scope_show_areas_and_institutions(
    boards: dict[str, Json], server: Server, now_ms: int, scope: str
) -> None:
    for name in ("targets-overview", "buildings", "carbon", "electricity", "sub-items"):
        chosen = {**variables(boards[name], server), "scope": scope}
        found = problems(boards[name], server, chosen, now_ms)
        assert [row for row in found if not _does_not_concern(row, scope)] == [], name


def _does_not_concern(row: str, scope: str) -> bool:
    """Return True for a medium that no meter of block 1 measures, and for areas that joined."""
    return scope == "block-1" and any(word in row for word in ("Gas", "gas", "joined or left"))


def test_no_panel_asks_for_more_than_fifty_thousand_points_of_a_thousand_meters(
    boards: dict[str, Json],
) -> None:
    series = {"scope": 1000, "meter": 1000, "medium": 4, "agent": 30, "bus": 60, "machine": 3}
    # An annual quota limits one indicator of one scope.
    series |= {"period": 72, "indicator": 10, "series": 3, "quota": 1, "figure": 2}
    series |= {"quantity": 20, "source": 6, "step": 6, "comparison": 4, "area": 60, "kind": 2}
    # A thousand alerts that fired within 40 days: older ones have no points.
    series |= {"rule": 1, "subject": 1000, "severity": 1, "copy": 3}
    asked = {
        f"{name}: {panel['title']}": max_points(board, panel, series_by_tag=series)
        for name, board in boards.items()
        for panel in panels(board)
    }
    assert {title: points for title, points in asked.items() if points > MAX_POINTS} == {}


def test_the_calculated_points_are_not_fewer_than_those_that_come(
    boards: dict[str, Json], server: Server, now_ms: int, site_folder: SiteFolder
) -> None:
    meters = len(site_folder.site.meter)
    series = {"scope": meters, "meter": meters, "medium": 1, "agent": 2, "bus": 6, "machine": 1}
    series |= {"period": 30, "indicator": 10, "series": 2, "quota": 1, "figure": 2}
    series |= {"quantity": 20, "source": 6, "step": 6, "comparison": 2, "area": 7, "kind": 2}
    series |= {"rule": 26, "subject": 50, "severity": 3, "copy": 1}
    for board in boards.values():
        chosen = variables(board, server)
        for panel in panels(board):
            come = sum(
                len(one["values"]) * (len(one["columns"]) - 1)
                for _, found in answers(board, panel, server, chosen, now_ms)
                for one in found
            )
            assert come <= max_points(board, panel, series_by_tag=series), panel["title"]


def test_the_account_of_the_data_source_reads_and_never_writes(
    influx2: Influx2, server2: Server
) -> None:
    """Grafana sends user and password; with InfluxDB 2 the password is a token."""
    (org,) = influx2.call("GET", f"/api/v2/orgs?org={influx2.org}")["orgs"]
    (bucket,) = influx2.call("GET", f"/api/v2/buckets?name={server2.database}")["buckets"]
    resource = {"type": "buckets", "id": bucket["id"], "orgID": org["id"]}
    token = influx2.call(
        "POST",
        "/api/v2/authorizations",
        orgID=org["id"],
        permissions=[{"action": "read", "resource": resource}],
    )["token"]
    basic = b64encode(f"grafana:{token}".encode()).decode()
    reader = server2._replace(headers={"Authorization": f"Basic {basic}"})
    assert reader.ask("SHOW MEASUREMENTS")
    with pytest.raises(HTTPError, match=r"40[13]"):
        write(reader, [b"poll,site=s,meter=m ok=1 1764832800000"])
