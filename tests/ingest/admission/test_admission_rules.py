"""Each row refuses exactly the messages or samples of its reason, and none of a correct agent."""

import math
from collections.abc import Mapping
from datetime import date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission import admission_rules
from ingest.admission.admission_rules import MESSAGE_RULES, SAMPLE_RULES, second_values
from ingest.admission.message_checker import MessageChecker
from ingest.quarantine.quarantine_reasons import REASONS
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, PollReport, Sample, Status
from jieneng.metering.site import Replacement, Site
from jieneng.site_folder import SiteFolder
from jieneng.storage.store import INVALID, UNCLEAR, UNTRIED
from jieneng.storage.write_answers import REFUSAL_WORDS
from tests.ingest.agent import BOOT, SITE, START, batch, sample

TOPIC = mqtt_messages.topic(SITE, "agent-1", "batch")
DAY_MS = 86_400_000
#: The midnight at which e-main was installed, in the site's zone (UTC+8).
INSTALLED_MS = 1_575_129_600_000


def reasons(
    folder: SiteFolder, samples: list[Sample], now_ms: int = START, site: Site | None = None
) -> Mapping[int, str]:
    """Return the reason of each refused sample, by its place in the batch."""
    checker = MessageChecker(site or folder.site, folder.models)
    payload = mqtt_messages.encode_batch(batch(5, samples))
    for _ in range(2):  # what was seen before is judged in the same way
        checked = checker.check(TOPIC, payload, now_ms)
    kept = {
        one: item.reason
        for item in checked.to_quarantine
        for one in mqtt_messages.decode_batch(item.payload).samples
    }
    assert len(checked.points) == len(samples) - len(kept)
    return {place: kept[one] for place, one in enumerate(samples) if one in kept}


def with_installed(folder: SiteFolder, meter: str, day: date | None, **more: object) -> Site:
    return msgspec.structs.replace(
        folder.site,
        meter=tuple(
            msgspec.structs.replace(one, installed=day, **more) if one.id == meter else one
            for one in folder.site.meter
        ),
    )


def at(time_ms: int, meter: str = "e-main") -> Sample:
    return Sample(meter, time_ms, 0, ("energy_kwh",), (1.0,))


def test_each_row_refuses_what_it_names_and_nothing_else(example: SiteFolder) -> None:
    odd = {
        1: sample(1, "nosuch"),
        2: sample(2, "e-b3"),  # on a bus of agent-2
        3: sample(3, "e-main", "volume_m3"),  # of another medium
        4: sample(4, "e-main", "voltage_v"),  # of its medium, but not of its model
        5: at(START + DAY_MS + 1),
        6: at(INSTALLED_MS - 1),
        8: msgspec.structs.replace(sample(7), values=(8.0,)),
    }
    good = {0: sample(0), 7: sample(7), 9: at(START + DAY_MS), 10: at(INSTALLED_MS)}
    site = with_installed(example, "e-main", date(2019, 12, 1))
    samples = [(odd | good)[place] for place in range(11)]
    assert reasons(example, samples, site=site) == {
        1: "unknown_meter",
        2: "other_agent",
        3: "quantity",
        4: "quantity",
        5: "future",
        6: "before_installed",
        8: "two_values",
    }
    assert [rule.code for rule in SAMPLE_RULES] == [
        "unknown_meter",
        "other_agent",
        "quantity",
        "future",
        "before_installed",
        "two_values",
    ]


def test_every_quantity_of_every_model_is_admitted(example: SiteFolder) -> None:
    for meter in example.site.meter:
        if meter.bus is None or example.site.buses[meter.bus].agent != "agent-1":
            continue
        assert meter.model is not None
        names = tuple(point.quantity for point in example.models[meter.model].point)
        one = Sample(meter.id, START, 0, names, (1.0,) * len(names))
        assert reasons(example, [one]) == {}


def test_the_device_before_a_replacement_had_a_model_of_its_own(example: SiteFolder) -> None:
    moment = datetime.fromisoformat("2022-05-10T09:30:00+08:00")
    (other,) = [
        one for one in example.models.values() if one.id == "eastron-sdm630"
    ]  # has what the meter's own model lacks
    own = {point.quantity for point in example.models["acrel-dtsd1352"].point}
    extra = next(point.quantity for point in other.point if point.quantity not in own)
    replaced = (Replacement(at=moment, final=1.0, model=other.id),)
    one = Sample("e-main", START, 0, (extra,), (1.0,))
    day = date(2019, 12, 1)
    assert reasons(example, [one]) == {0: "quantity"}
    site = with_installed(example, "e-main", day, replaced=replaced)
    assert reasons(example, [one], site=site) == {}


def test_a_meter_without_a_date_has_readings_of_any_time(example: SiteFolder) -> None:
    site = with_installed(example, "e-main", None)
    assert reasons(example, [at(mqtt_messages._EARLIEST_MS)], site=site) == {}


def test_layouts_that_were_admitted_do_not_fill_the_memory(example: SiteFolder) -> None:
    checker = MessageChecker(example.site, example.models)
    names = [point.quantity for point in example.models["acrel-dtsd1352"].point]
    for number in range(300):
        layout = tuple(name for i, name in enumerate(names[:9]) if (number + 1) >> i & 1)
        one = Sample("e-main", START + number, 0, layout, (1.0,) * len(layout))
        checker.check(TOPIC, mqtt_messages.encode_batch(batch(5, [one])), START)
    assert len(checker._meters["agent-1"]["e-main"].admitted) <= 64


def test_a_poll_in_the_future_is_kept_and_not_stored(example: SiteFolder) -> None:
    polls = tuple(PollReport("e-main", START + i * 2 * DAY_MS, True, 9, 1) for i in range(2))
    payload = mqtt_messages.encode_batch(Batch("agent-1", BOOT, 5, (), polls))
    checked = MessageChecker(example.site, example.models).check(TOPIC, payload, START)
    assert [point.time_ms for point in checked.points] == [START]
    (item,) = checked.to_quarantine
    assert (item.reason, item.samples, item.acknowledged) == ("future", 0, False)
    assert mqtt_messages.decode_batch(item.payload).polls == polls[1:]


def test_a_state_of_an_agent_that_is_ahead_is_of_its_arrival(example: SiteFolder) -> None:
    status = Status(agent="agent-1", boot=BOOT, online=True, time_ms=START + 9 * DAY_MS, read=1)
    topic = mqtt_messages.topic(SITE, "agent-1", "status")
    checker = MessageChecker(example.site, example.models)
    points = checker.check(topic, mqtt_messages.encode_status(status), START).points
    assert {point.time_ms for point in points} == {START}


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(0, 2),
            st.sampled_from([("x",), ("y",), ("x", "y")]),
            st.sampled_from([1.0, 2.0, math.nan]),
        )
    )
)
def test_of_contradicting_values_exactly_the_first_is_admitted(
    rows: list[tuple[str, int, tuple[str, ...], float]],
) -> None:
    samples = [
        Sample(meter, at_ms, 0, names, (value,) * len(names)) for meter, at_ms, names, value in rows
    ]
    second = second_values(samples)
    admitted: dict[tuple[str, int, str], float] = {}
    for index, one in enumerate(samples):
        own = {
            (one.meter, one.time_ms, name): value
            for name, value in zip(one.quantities, one.values, strict=True)
            if not math.isnan(value)
        }
        contradicts = any(admitted.get(place, value) != value for place, value in own.items())
        assert (index in second) == contradicts
        if not contradicts:
            admitted |= own


@pytest.mark.parametrize("number", [b"1e400", b"NaN", b"Infinity", b"-1e999"])
def test_a_number_that_is_none_refuses_its_message_whole(
    example: SiteFolder, number: bytes
) -> None:
    payload = mqtt_messages.encode_batch(batch(5)).replace(b"105.0", number)
    checked = MessageChecker(example.site, example.models).check(TOPIC, payload, START)
    assert checked.rejection in {"form", "not_json"}
    assert checked.points == ()


def test_every_code_says_what_it_means_and_how_it_is_mended() -> None:
    form = {"topic", "too_large", "not_json", "version", "form", "layout", "quantity", "time"}
    site = {"empty", *(rule.code for rule in (*MESSAGE_RULES, *SAMPLE_RULES))}
    store = {INVALID, UNCLEAR, UNTRIED, *(row.meaning for row in REFUSAL_WORDS)}
    assert set(REASONS) == form | site | store
    assert set(REASONS) >= admission_rules.SITE_REASONS
