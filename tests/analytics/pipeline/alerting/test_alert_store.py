"""Alerts, marks and rounds come back from each store as they were written."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from analytics.alerts.alert import Alert, AlertMark
from analytics.pipeline.alerting import alert_points
from analytics.pipeline.alerting.alert_store import AlertStore, Round
from jieneng.storage import Store, StoreSettings, open_store
from tests.storage.conftest import influx2_settings, influx_settings  # noqa: F401 - fixtures

NOW_MS = 1_795_000_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000


def alert(subject: str = "w-3", **fields: object) -> Alert:
    plain = Alert(
        rule="water-at-night",
        signal="night_flow",
        subject=subject,
        severity="warning",
        phase="firing",
        value=1.25,
        limit=0.5,
        peak=1.5,
        since_ms=NOW_MS - 3_600_000,
        fired_ms=NOW_MS - 1_800_000,
    )
    return msgspec.structs.replace(plain, **fields)


#: Each attribute has a different value, so that no two can be exchanged.
FULL = alert(
    ended_ms=NOW_MS - 11,
    seen_ms=NOW_MS - 12,
    back_ms=NOW_MS - 13,
    missing_ms=NOW_MS - 14,
    end="withdrawn",
    known_ms=NOW_MS - 15,
    told="critical",
    noticed_ms=NOW_MS - 16,
    reminded_ms=NOW_MS - 17,
    fires=(NOW_MS - 20, NOW_MS - 19),
    flapping_ms=NOW_MS - 18,
    held=3,
    held_since_ms=NOW_MS - 21,
    held_ended_ms=NOW_MS - 22,
    held_peak=9.5,
    held_late=True,
)


@pytest.fixture(params=["sqlite", "influx", "influx2"])
async def alerts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AlertStore]:
    settings = StoreSettings()
    if request.param != "sqlite":
        settings = request.getfixturevalue(f"{request.param}_settings")
    store = open_store(settings, tmp_path)
    await store.prepare()
    yield AlertStore("centre", store)
    await store.close()


@pytest.mark.server
async def test_each_attribute_of_an_alert_comes_back(alerts: AlertStore) -> None:
    await alerts.write_states([FULL], NOW_MS)
    assert await alerts.states(NOW_MS) == {FULL.key: FULL}


@pytest.mark.server
async def test_the_last_state_of_each_alert_comes_back_without_what_it_no_longer_has(
    alerts: AlertStore,
) -> None:
    """Also where its severity was changed, and where it has no value any more."""
    await alerts.write_states([alert("w-3"), FULL, alert("w-4")], NOW_MS - 10 * MINUTE_MS)
    now = alert("w-3", severity="critical", value=math.nan, peak=math.nan, phase="inactive")
    await alerts.write_states([now], NOW_MS)
    found = await alerts.states(NOW_MS + MINUTE_MS)
    assert set(found) == {"water-at-night/w-3", "water-at-night/w-4"}
    back = found["water-at-night/w-3"]
    assert (back.severity, back.phase, back.fires) == ("critical", "inactive", ())
    assert math.isnan(back.value)
    assert math.isnan(back.peak)


@pytest.mark.server
async def test_states_come_back_after_weeks_without_the_service_and_are_forgotten_then(
    alerts: AlertStore,
) -> None:
    await alerts.write_states([FULL], NOW_MS)
    assert await alerts.states(NOW_MS + 39 * DAY_MS) == {FULL.key: FULL}
    assert await alerts.states(NOW_MS + 41 * DAY_MS) == {}


async def test_states_come_back_though_a_clock_once_ran_ahead(store: Store) -> None:
    alerts = AlertStore("centre", store)
    await alerts.write_states([FULL], NOW_MS + 300 * DAY_MS)
    await alerts.write_states([FULL], NOW_MS - DAY_MS)
    assert await alerts.states(NOW_MS) == {FULL.key: FULL}


@pytest.mark.server
async def test_the_last_mark_of_a_person_comes_back_with_its_reason(alerts: AlertStore) -> None:
    """A second silence of the same alert replaces the first; those of others stay."""

    def mark(by: str, at_ms: int, until_ms: int, reason: str = "") -> AlertMark:
        return AlertMark(
            kind="silence",
            rule="*",
            subject="w-3",
            by=by,
            at_ms=at_ms,
            until_ms=until_ms,
            reason=reason,
        )

    await alerts.write_mark(mark("张三", NOW_MS - DAY_MS, NOW_MS + DAY_MS, "冲洗管道"))
    await alerts.write_mark(mark("李四", NOW_MS - DAY_MS, NOW_MS + 2 * DAY_MS))
    assert {one.by: one.reason for one in await alerts.marks(NOW_MS)} == {
        "张三": "冲洗管道",
        "李四": "",
    }
    await alerts.write_mark(mark("张三", NOW_MS + 1, NOW_MS + 1))
    found = {one.by: one.until_ms for one in await alerts.marks(NOW_MS + 10)}
    assert found == {"张三": NOW_MS + 1, "李四": NOW_MS + 2 * DAY_MS}


@pytest.mark.server
async def test_the_last_round_of_each_copy_comes_back(alerts: AlertStore) -> None:
    for number, holder in enumerate([True, False]):
        done = Round(copy="a", at_ms=NOW_MS + number, is_holder=holder, duration_s=0.1)
        await alerts.write_round(done)
    await alerts.write_round(Round(copy="b", at_ms=NOW_MS - 5, is_holder=True))
    found = await alerts.rounds(NOW_MS - MINUTE_MS, NOW_MS + MINUTE_MS)
    assert {copy: (one.at_ms, one.is_holder) for copy, one in found.items()} == {
        "a": (NOW_MS + 1, False),
        "b": (NOW_MS - 5, True),
    }


def test_a_new_value_alone_is_no_change_worth_a_point() -> None:
    calm = alert(value=math.nan, held_peak=math.nan)
    assert not alert_points.is_change(calm, alert(value=7.0, seen_ms=NOW_MS, peak=7.0))
    assert alert_points.is_change(calm, alert(back_ms=NOW_MS))
    assert alert_points.is_change(None, calm)
    assert not alert_points.is_change(None, alert(phase="inactive", fired_ms=0))


def test_every_attribute_of_an_alert_is_in_the_schema() -> None:
    """A new attribute without a field would be lost at each restart."""
    from jieneng.metering import schema

    point = alert_points.alert_point("centre", FULL, NOW_MS)
    assert set(point.names) == schema.FIELDS[schema.ALERT]
    assert {name for name, _ in point.tags} == set(schema.TAGS[schema.ALERT])
