"""Faults are switched and the truth is read over HTTP while the simulation runs."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from simulators.faults import KINDS
from simulators.serving import control_http
from simulators.serving.control_http import ExchangeLog, SimulatorControl
from simulators.settings import ControlSettings
from tests.simulators.scene import Scene, scene

pytestmark = pytest.mark.server


class ControlledScene:
    """A scene with its control.

    Attributes:
        scene: the scene.
        url: URL of the control.
    """

    def __init__(self, scene_: Scene, url: str, session: aiohttp.ClientSession) -> None:
        self.scene = scene_
        self.url = url
        self._session = session

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        async with self._session.request(
            method, self.url + path, json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def controlled() -> AsyncIterator[ControlledScene]:
    async with scene() as one, aiohttp.ClientSession() as session:
        exchange_log = ExchangeLog(100)
        control = SimulatorControl(one.simulated, one.script, exchange_log, one.clock)
        one.also = exchange_log.add
        async with control_http.serving(control, ControlSettings()) as url:
            yield ControlledScene(one, url, session)


async def test_a_fault_is_switched_on_and_off(controlled: ControlledScene) -> None:
    one = controlled.scene
    master = await one.connect()
    assert len(await master.ask()) == 13
    status, row = await controlled.ask("POST", "/faults", {"kind": "busy", "meter": "e-1"})
    assert (status, row["id"], row["on"], row["meters"]) == (201, "busy-1", True, ["e-1"])
    assert (await master.ask())[-1] == 6
    one.clock.time_ms += 5000
    status, row = await controlled.ask("DELETE", "/faults/busy-1")
    assert (status, row["on"]) == (200, False)
    assert (row["begin"], row["end"]) == (
        "2025-06-03T02:00:00.000+00:00", "2025-06-03T02:00:05.000+00:00",
    )  # fmt: skip
    assert len(await master.ask()) == 13
    master.writer.close()


async def test_all_faults_end_at_once_and_stay_in_the_books(controlled: ControlledScene) -> None:
    for meter in ("e-1", "e-2"):
        await controlled.ask("POST", "/faults", {"kind": "no_answer", "meter": meter})
    controlled.scene.clock.time_ms += 1000
    status, rows = await controlled.ask("DELETE", "/faults")
    assert (status, [row["id"] for row in rows]) == (200, ["no-answer-1", "no-answer-2"])
    _, rows = await controlled.ask("GET", "/faults")
    assert [row["on"] for row in rows] == [False, False]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "no_answr"}, 'kind can\'t be "no_answr". Did you mean "no_answer"?'),
        ({"kind": "busy", "meter": "e-9"}, "meter = e-9, but e-9 is not defined."),
        ({"kind": "slow_answer"}, "delay_s is missing."),
        ({"kind": "rollover", "meter": "e-1"}, "must be there from the start of the simulation"),
    ],
)
async def test_what_cannot_be_is_refused_in_the_readers_language(
    controlled: ControlledScene, body: dict[str, Any], said: str
) -> None:
    status, answer = await controlled.ask("POST", "/faults", body, **{"Accept-Language": "en"})
    assert status == 400
    assert said in answer["problems"][0]
    _, answer = await controlled.ask("POST", "/faults", body, **{"Accept-Language": "zh-CN"})
    assert said not in answer["problems"][0]


async def test_what_is_not_there_is_said_with_what_is(controlled: ControlledScene) -> None:
    for path in ("/faults/none", "/meters/none"):
        method = "DELETE" if "faults" in path else "GET"
        status, answer = await controlled.ask(method, path, **{"Accept-Language": "en"})
        assert status == 404
        assert "Known are:" in answer["problems"][0]


@pytest.mark.parametrize("path", ["/meters?at=yesterday", "/exchanges?limit=many"])
async def test_a_question_that_makes_no_sense_is_refused(
    controlled: ControlledScene, path: str
) -> None:
    status, answer = await controlled.ask("GET", path)
    assert status == 400
    assert len(answer["problems"]) == 1


async def test_what_is_no_json_is_refused(controlled: ControlledScene) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(controlled.url + "/faults", data=b"kind = busy") as answer,
    ):
        assert answer.status == 400


async def test_the_truth_says_what_flowed_what_the_register_is_and_what_it_shows(
    controlled: ControlledScene,
) -> None:
    await controlled.ask("POST", "/faults", {"kind": "stuck", "meter": "e-1"})
    controlled.scene.clock.time_ms += 100_000
    _, row = await controlled.ask("GET", "/meters/e-1")
    assert (row["flowed"], row["rate"]) == (1.0, 36.0)
    assert row["faults"] == ["stuck-1"]
    assert row["registers"]["energy_kwh"] == {"really": 1.0, "shown": 0.0}
    assert row["registers"]["power_kw"]["shown"] == 36.0
    assert 220 < row["registers"]["voltage_a_v"]["shown"] < 240
    _, rows = await controlled.ask("GET", "/meters?at=2025-06-03T11:00:00%2B08:00")
    assert {row["meter"]: row["flowed"] for row in rows}["e-2"] == 72.0


async def test_exchanges_say_who_asked_what_and_which_bytes_were_served(
    controlled: ControlledScene,
) -> None:
    one = controlled.scene
    master = await one.connect()
    answers = [await master.ask(unit=unit) for unit in (1, 2, 2)]
    _, rows = await controlled.ask("GET", "/exchanges?meter=e-2&limit=1")
    [row] = rows
    assert row["sent"] == answers[2].hex(" ")
    host, port = master.writer.get_extra_info("sockname")
    assert row["peer"] == f"{host}:{port}"
    assert (row["time"], row["verdict"], row["unit"]) == (
        "2025-06-03T02:00:00.000+00:00", "good", 2,
    )  # fmt: skip
    _, rows = await controlled.ask("GET", "/exchanges?bus=bus-a")
    assert len(rows) == 3
    master.writer.close()


async def test_the_overview_and_the_kinds_lead_on(controlled: ControlledScene) -> None:
    _, overview = await controlled.ask("GET", "/")
    assert overview["site"] == "scene"
    for path in overview["see"]:
        status, _ = await controlled.ask("GET", path)
        assert status == 200
    _, kinds = await controlled.ask("GET", "/kinds")
    assert [kind["kind"] for kind in kinds] == list(KINDS)
