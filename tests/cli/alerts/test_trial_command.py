"""`jieneng alerts test` says how often a rule would have fired, and on which data."""

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from jieneng.clock import SystemClock
from jieneng.metering.schema import Point
from jieneng.storage import StoreSettings, open_store
from tests.cli.run import jieneng

pytestmark = pytest.mark.server

_EXAMPLE = Path(__file__).parents[3] / "jieneng" / "sites" / "example"
_HOUR_MS = 3_600_000
_DAYS = 12
_LEAK_DAYS = (4, 7)
_RULE = """
[[rule]]
id = "leak"
name = "夜间漏水"
signal = "night_flow"
above = 0.3
clear = 0.2
medium = ["water"]
"""


async def _fill(folder: Path) -> None:
    """Write a register of each full hour: 1 m3/h by day, and 0.5 m3/h from day 4 to 7 at night."""
    now_ms = SystemClock().now_ms()
    last_midnight = (now_ms + 8 * _HOUR_MS) // (24 * _HOUR_MS) * 24 * _HOUR_MS - 8 * _HOUR_MS
    hours = np.arange(_DAYS * 24)
    is_day = (hours % 24 >= 8) & (hours % 24 < 18)
    is_leak = (hours >= _LEAK_DAYS[0] * 24) & (hours < _LEAK_DAYS[1] * 24)
    register = np.cumsum(np.where(is_day, 1.0, 0.01) + np.where(is_leak, 0.5, 0.0))
    times = last_midnight - (_DAYS * 24 - hours) * _HOUR_MS
    tags = (("meter", "w-b1"), ("site", "huaian-centre"))
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    await store.write(
        [
            Point.of("water", tags, (("volume_m3", value), ("quality", 0.0)), time_ms)
            for time_ms, value in zip(times.tolist(), register.tolist(), strict=True)
        ]
    )
    await store.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with twelve days of one water meter."""
    folder = shutil.copytree(_EXAMPLE, tmp_path_factory.mktemp("trial") / "site")
    (folder / "alerts.toml").write_text(_RULE, encoding="utf-8")
    asyncio.run(_fill(folder))
    return folder


def test_the_trial_counts_firings_notices_and_gaps(site: Path) -> None:
    done = jieneng("alerts", "test", "leak", "--since", "14d", "--site", site, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rule = found["rule"]
    assert rule["fires"] == 1
    assert rule["notices"]["fired"] == rule["notices"]["recovered"] == 1
    subjects = {one["subject"]: one for one in rule["subjects"]}
    assert subjects["w-b1"]["longest_s"] == pytest.approx(3 * 86_400)
    assert subjects["w-b1"]["peak"] == pytest.approx(0.51, abs=0.01)
    assert subjects["w-main"]["known"] == 0.0
    assert 0.05 < rule["known"] < 0.15, "one of seven water meters was read"
    fires = {one["rule"]["above"]: one["fires"] for one in found["limits"]}
    assert (fires[0.2], fires[0.3], fires[0.6]) == (1, 1, 0)


def test_a_person_reads_the_trial_and_the_row_to_write(site: Path) -> None:
    arguments = ("alerts", "test", "leak", "--since", "14d", "--site", site)
    shown = jieneng(*arguments, "--above", "0.6", language="zh").stdout
    for text in (
        "该规则不会告警",
        "无数据的时段不会告警",
        "高于 0.6 m³/h ←",
        "above = 0.6",
        'id = "leak"',
    ):
        assert text in shown
    assert "clear = 0.4" in shown, "the hysteresis keeps its proportion"
    shown = jieneng(*arguments, language="zh").stdout
    assert "会告警 1 次" in shown
    assert "1号楼用水" in shown
    assert "[[rule]]" not in shown, "the rule is as it stands in the files"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("leek",), 2, "Did you mean leak?"),
        (("leak", "--above", "1", "--below", "1"), 2, "leave out"),
        (("leak", "--above", "1", "--clear", "2"), 2, "beyond the limit"),
        (("leak", "--since", "soon"), 2, "no length of time"),
        (("phase-a-lost", "--since", "2d"), 1, "no data for a trial of rule phase-a-lost"),
    ],
)
def test_what_can_not_be_tried_is_said_in_a_sentence(
    site: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = jieneng("alerts", "test", *arguments, "--site", site)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
