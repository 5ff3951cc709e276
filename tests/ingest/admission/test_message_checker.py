"""Every message is checked: points that fit are stored, others are quarantined with a reason."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.message_checker import CheckedMessage, MessageChecker
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, PollReport, Sample, Status
from jieneng.site_folder import SiteFolder
from tests.ingest.agent import BOOT, SITE, START, batch, sample

BATCH = mqtt_messages.topic(SITE, "agent-1", "batch")
STATUS = mqtt_messages.topic(SITE, "agent-1", "status")
GOOD = mqtt_messages.encode_batch(batch(5))


@pytest.fixture(scope="session")
def checker(example: SiteFolder) -> MessageChecker:
    return MessageChecker(example.site, example.models)


def test_a_good_batch_becomes_points_and_a_number_to_acknowledge(checker: MessageChecker) -> None:
    checked = checker.check(
        BATCH, mqtt_messages.encode_batch(batch(5, [sample(1), sample(2)])), START
    )
    assert (checked.agent, checked.batch_id, checked.rejection) == ("agent-1", (BOOT, 5), None)
    assert [point.time_ms for point in checked.points] == [START + 1000, START + 2000]
    assert checked.points[0].tags == (("meter", "e-main"), ("site", SITE))
    assert checked.to_quarantine == ()


def test_a_sample_in_which_nothing_is_known_is_neither_stored_nor_set_aside(
    checker: MessageChecker,
) -> None:
    silent = Sample("e-main", START, 0, ("energy_kwh",), (math.nan,))
    checked = checker.check(BATCH, mqtt_messages.encode_batch(batch(5, [silent])), START)
    assert (checked.batch_id, checked.points, checked.to_quarantine) == ((BOOT, 5), (), ())


def test_misfits_are_kept_by_reason_as_batches_that_can_be_sent_again(
    checker: MessageChecker,
) -> None:
    odd = [sample(1, "nosuch"), sample(2), sample(3, "nosuch"), sample(4, "e-main", "volume_m3")]
    checked = checker.check(BATCH, mqtt_messages.encode_batch(batch(5, odd)), START)
    assert [point.time_ms for point in checked.points] == [START + 2000]
    assert [(one.reason, one.samples) for one in checked.to_quarantine] == [
        ("unknown_meter", 2),
        ("quantity", 1),
    ]
    assert mqtt_messages.decode_batch(checked.to_quarantine[0].payload) == batch(
        5, [odd[0], odd[2]]
    )


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "number"),
    [
        (BATCH, GOOD[:-1], "not_json", None),
        (BATCH, GOOD.replace(b'"v":1', b'"v":9'), "version", (BOOT, 5)),
        (BATCH, mqtt_messages.encode_batch(batch(5, agent="agent-2")), "other_agent", (BOOT, 5)),
        (BATCH, b'{"boot":"6f1c2a9e","seq":0}', "form", None),
        (BATCH, b'{"boot":"6f1c2a9e","seq":18446744073709551616}', "form", None),
        # Messages of unknown senders are not acknowledged.
        (mqtt_messages.topic(SITE, "nosuch", "batch"), GOOD, "unknown_agent", None),
        (mqtt_messages.topic("other", "agent-1", "batch"), GOOD, "other_site", None),
        (STATUS, GOOD, "form", None),
        ("x", GOOD, "topic", None),
    ],
)
def test_what_is_refused_whole_is_set_aside_whole(
    checker: MessageChecker, topic: str, payload: bytes, reason: str, number: tuple[str, int] | None
) -> None:
    checked = checker.check(topic, payload, START)
    assert (checked.rejection, checked.batch_id, checked.points) == (reason, number, ())
    assert [(one.reason, one.payload) for one in checked.to_quarantine] == [(reason, payload)]
    (item,) = checked.to_quarantine
    assert item.acknowledged == (number is not None)
    assert (item.boot, item.seq) == (number or ("", 0))
    assert not item.is_cut


def test_a_batch_of_which_nothing_fits_is_kept_by_reason_and_meter(
    checker: MessageChecker,
) -> None:
    odd = [sample(1, "e-b3"), sample(2, "nosuch"), sample(3, "nosuch-2"), sample(4, "e-b3")]
    checked = checker.check(BATCH, mqtt_messages.encode_batch(batch(5, odd)), START)
    assert (checked.batch_id, checked.rejection, checked.points) == ((BOOT, 5), None, ())
    assert checked.samples == 4
    assert [(one.reason, one.meter, one.samples) for one in checked.to_quarantine] == [
        ("other_agent", "e-b3", 2),
        ("unknown_meter", "nosuch", 1),
        ("unknown_meter", "nosuch-2", 1),
    ]


def test_a_quantity_of_a_later_version_costs_the_other_samples_nothing(
    checker: MessageChecker,
) -> None:
    odd = sample(2, quantity="energy_of_tomorrow")
    payload = mqtt_messages.encode_batch(batch(5, [sample(1), odd]))
    checked = checker.check(BATCH, payload, START)
    assert [point.time_ms for point in checked.points] == [START + 1000]
    (item,) = checked.to_quarantine
    assert (item.reason, item.samples, item.acknowledged) == ("quantity", 1, True)
    kept = mqtt_messages.decode_batch(item.payload, any_quantity=True)
    assert kept == batch(5, [odd])
    again = checker.check(BATCH, item.payload, START)
    assert [one.payload for one in again.to_quarantine] == [item.payload]


def test_thousands_of_invented_meters_are_no_thousands_of_entries(
    checker: MessageChecker,
) -> None:
    odd = [sample(number, f"no-{number}") for number in range(5000)]
    checked = checker.check(BATCH, mqtt_messages.encode_batch(batch(5, odd)), START)
    assert len(checked.to_quarantine) <= 101
    assert sum(one.samples for one in checked.to_quarantine) == 5000


@pytest.mark.parametrize("samples", [b"[1,2,3]", b"{}", b"3"])
def test_the_samples_of_a_batch_that_can_t_be_read_are_counted_where_they_can_be(
    checker: MessageChecker, samples: bytes
) -> None:
    payload = b'{"v":9,"boot":"6f1c2a9e","seq":5,"samples":' + samples + b"}"
    checked = checker.check(BATCH, payload, START)
    assert checked.batch_id == (BOOT, 5)
    assert checked.samples == (3 if samples.startswith(b"[") else 0)


def test_of_what_can_t_be_read_only_the_beginning_is_kept(checker: MessageChecker) -> None:
    for payload in (b"x" * 10**6, b"[" * 5 * 10**6):
        checked = checker.check(BATCH, payload, START)
        (item,) = checked.to_quarantine
        assert (item.size, len(item.payload)) == (len(payload), 4096)
        assert checked.batch_id is None


def test_a_status_that_is_taken_back_is_nothing(checker: MessageChecker) -> None:
    assert checker.check(STATUS, b"", START) == CheckedMessage(topic=STATUS, agent="agent-1")


def test_an_agent_that_vanished_is_offline_from_when_its_will_came(checker: MessageChecker) -> None:
    will = Status(agent="agent-1", boot=BOOT, online=False, time_ms=START, read=4, stored=4)
    checked = checker.check(STATUS, mqtt_messages.encode_status(will), START + 60_000)
    times = {point.measurement: point.time_ms for point in checked.points}
    assert times == {"ledger": START, "agent": START + 60_000}


def test_a_poll_reports_itself_even_if_nothing_was_read(checker: MessageChecker) -> None:
    polls = (PollReport("e-main", START, False, 1003, 2), PollReport("e-b3", START, True, 9, 1))
    payload = mqtt_messages.encode_batch(Batch("agent-1", BOOT, 5, (), polls))
    checked = checker.check(BATCH, payload, START)
    assert checked.batch_id == (BOOT, 5)
    [point] = checked.points  # e-b3 belongs to another agent; only that agent may send its readings
    assert (point.measurement, dict(point.tags)["meter"]) == ("poll", "e-main")
    assert dict(point.fields) == {"ok": 0.0, "duration_s": 1.003, "attempts": 2.0}


def test_an_agents_health_is_stored_and_only_of_its_own_buses(checker: MessageChecker) -> None:
    status = Status(
        agent="agent-1",
        boot=BOOT,
        online=True,
        time_ms=START,
        uptime_s=61.5,
        spool_bytes=4096,
        spool_age_s=2.5,
        clock_ok=False,
        clock_jumps=1,
        unacknowledged_s=75.5,
        spool_share=0.25,
        certificate_days=-1.5,
        bus_load={"plant-room": 0.25, "canteen-lan": 0.9, "no-bus": 1.0},
    )
    points = checker.check(STATUS, mqtt_messages.encode_status(status), START).points
    fields = {point.measurement: dict(point.fields) for point in points}
    assert fields["agent"] == {
        "online": 1.0,
        "boot": BOOT,
        "uptime_s": 61.5,
        "spool_bytes": 4096.0,
        "spool_age_s": 2.5,
        "clock_ok": 0.0,
        "clock_jumps": 1.0,
        "unacknowledged_s": 75.5,
        "spool_share": 0.25,
        "certificate_days": -1.5,
    }
    buses = [
        (dict(p.tags)["bus"], dict(p.fields)["load"]) for p in points if p.measurement == "bus"
    ]
    assert buses == [("plant-room", 0.25)]


PIECES = st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\xff", b"null", b"1e400", b"-"])


@given(
    st.sampled_from([BATCH, STATUS]) | st.text(),
    st.binary() | st.lists(PIECES | st.just(GOOD) | st.binary(max_size=4)).map(b"".join),
)
def test_whatever_the_bytes_are_the_answer_is_a_delivery(
    example: SiteFolder, topic: str, payload: bytes
) -> None:
    checked = MessageChecker(example.site, example.models).check(topic, payload, START)
    assert (checked.rejection is None) or checked.to_quarantine[0].payload == payload[:4096]


@given(st.binary(min_size=1, max_size=3), st.data())
def test_a_damaged_batch_is_stored_or_set_aside_never_both_whole(
    example: SiteFolder, damage: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    payload = GOOD[:place] + damage + GOOD[place + len(damage) :]
    checked = MessageChecker(example.site, example.models).check(BATCH, payload, START)
    assert len(checked.to_quarantine) + len(checked.points) == 1
    for point in checked.points:
        assert msgspec.json.encode(point)
