"""Grafana's alert rules against real databases: which alerts they fire, and when a service is dead.

Grafana's server can't run here. Its part is repeated: each query once, the last value or the number
of values of each series, and the expression for each set of labels.
"""

import operator
import re
from collections.abc import Mapping
from typing import Final

import msgspec
import pytest

from grafana.alerting.grafana_alerting import Recipients, grafana_alerting
from grafana.alerting.grafana_rules import alert_rules
from grafana.board_site import BoardSite
from grafana.field_display import Json
from jieneng.locale import translator
from jieneng.metering import line_protocol, schema
from jieneng.metering.schema import Point
from jieneng.site_folder import SiteFolder
from tests.boards.board_queries import Range, Server, filled_in
from tests.boards.conftest import post, write
from tests.servers import Influx, Influx2

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("boards")]

NOW_MS: Final = 1_764_832_800_000
MINUTE_MS: Final = 60_000
Labels = tuple[str, ...]
_COMPARE: Final = {"==": operator.eq, "<": operator.lt}


def alert(subject: str, age_minutes: int, severity: str = "warning", **fields: float) -> Point:
    tags = {"site": "rules", "rule": "r", "signal": "quantity", "subject": subject}
    known = {"silenced": 0.0, "caused": 0.0, "value": 3.0, "limit": 2.0, **fields}
    point = schema.point(
        schema.ALERT, {**tags, "severity": severity}, known, NOW_MS - age_minutes * MINUTE_MS
    )
    assert point is not None
    return point


POINTS: Final = (
    alert("fires", 30, phase=1.0),
    alert("fires", 1, phase=2.0),
    alert("critical", 1, "critical", phase=2.0),
    alert("pending", 1, phase=1.0),
    alert("recovered", 20, phase=2.0),
    alert("recovered", 10, phase=0.0),
    alert("silenced", 20, phase=2.0),
    alert("silenced", 2, phase=2.0, silenced=1.0),
    alert("explained", 2, phase=2.0, caused=1.0),
    # The analytics died 50 minutes ago: nothing has recovered.
    alert("not-evaluated", 50, phase=2.0),
    alert("long-ago", 3 * 1440, phase=2.0),
)


def written(server: Server, points: tuple[Point, ...]) -> Server:
    write(server, [line_protocol.encode(points)])
    return server


def evaluated(rule: Json, server: Server, now_ms: int = NOW_MS) -> dict[Labels, bool] | None:
    """Return whether a rule fires, by labels; None without data."""
    values: dict[str, Mapping[Labels, float]] = {}
    for one in rule["data"]:
        model = one["model"]
        if "query" in model:
            span = Range(now_ms - 1000 * one["relativeTimeRange"]["from"], now_ms)
            series = server.ask(filled_in(model["query"], {}, span))
            values[one["refId"]] = {
                tuple(row.get("tags", {}).values()): (
                    float(len(row["values"]))
                    if rule["condition"] == "silent"
                    else row["values"][-1][1]
                )
                for row in series
            }
        elif model["type"] == "reduce":
            values[one["refId"]] = values[model["expression"]]
        else:
            return _math(model["expression"], values)
    raise AssertionError("a rule without a condition")


def _math(
    expression: str, values: Mapping[str, Mapping[Labels, float]]
) -> dict[Labels, bool] | None:
    terms = re.findall(r"\$(\w+) (==|<) (\d+)", expression)
    assert " && ".join(f"${name} {sign} {number}" for name, sign, number in terms) == expression
    common = set.intersection(*(set(values[name]) for name, _, _ in terms))
    if not common:
        return None
    return {
        labels: all(
            _COMPARE[sign](values[name][labels], float(number)) for name, sign, number in terms
        )
        for labels in common
    }


@pytest.fixture(scope="module", params=["1.x", "2.x"])
def filled(request: pytest.FixtureRequest) -> Server:
    """Return a database of its own with the alerts."""
    if request.param == "1.x":
        influx: Influx = request.getfixturevalue("influx")
        server = Server(influx.url, "rules")
        post(server, "query?q=CREATE+DATABASE+rules", b"")
        return written(server, POINTS)
    influx2: Influx2 = request.getfixturevalue("influx2")
    influx2.make_bucket("rules")
    headers = {"Authorization": f"Token {influx2.token}"}
    return written(Server(influx2.url, "rules", headers), POINTS)


@pytest.fixture(scope="module")
def of(example: SiteFolder) -> BoardSite:
    site = example.site
    renamed = msgspec.structs.replace(site.site, id="rules")
    return BoardSite(msgspec.structs.replace(site, site=renamed), translator("en"))


def test_what_fires_in_the_series_fires_in_grafana_and_nothing_else(
    filled: Server, of: BoardSite
) -> None:
    fired = {
        rule["labels"]["severity"]: {
            labels[1] for labels, is_firing in (evaluated(rule, filled) or {}).items() if is_firing
        }
        for rule in alert_rules(of)
    }
    assert fired == {
        "critical": {"critical"},
        "warning": {"fires", "not-evaluated"},
        "info": set(),
    }


def test_a_service_that_writes_nothing_for_ten_minutes_is_dead(
    filled: Server, of: BoardSite
) -> None:
    rules = grafana_alerting(of).rules
    assert [evaluated(rule, filled) for rule in rules] == [None] * 3, "no data: the rule fires"
    marks = {"site": "rules"}
    alive = (
        schema.point(
            schema.AGENT, {**marks, "agent": "a"}, {"online": 1.0}, NOW_MS - 9 * MINUTE_MS
        ),
        schema.point(
            schema.RECEIPT,
            {**marks, "agent": "a", "machine": "m"},
            {"held": 0.0},
            NOW_MS - 11 * MINUTE_MS,
        ),
        schema.point(
            schema.ALERT_ROUND, {**marks, "copy": "c"}, {"duration_s": 0.1}, NOW_MS - MINUTE_MS
        ),
    )
    written(filled, tuple(point for point in alive if point is not None))
    assert [evaluated(rule, filled) for rule in rules] == [{(): False}, None, {(): False}]


def test_the_rules_are_the_same_with_and_without_receivers(of: BoardSite) -> None:
    by_uid = {rule["uid"]: rule for rule in grafana_alerting(of, Recipients(integrations={})).rules}
    assert list(by_uid.values())[:3] == alert_rules(of)
