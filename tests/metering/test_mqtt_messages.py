"""Messages decode to what was encoded, and all others are refused with the reason."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Ack, Batch, PollReport, Sample, Status

BOOTS = st.text("0123456789abcdef", min_size=8, max_size=8)
NUMBERS = st.integers(1, 2**53 - 1)
COUNTS = st.integers(0, 2**53 - 1)
TIMES = st.integers(946_684_800_000, 4_102_444_799_999)
LAYOUTS = st.lists(st.sampled_from(sorted(QUANTITIES)), unique=True, min_size=1, max_size=6)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    quantities = tuple(draw(LAYOUTS))
    values = st.floats(allow_nan=False, allow_infinity=False)
    return Sample(
        meter=draw(st.text(min_size=1, max_size=32)),
        time_ms=draw(TIMES),
        quality=draw(st.integers(0, 63)),
        quantities=quantities,
        values=tuple(draw(values) for _ in quantities),
    )


POLLS = st.builds(
    PollReport,
    meter=st.text(min_size=1, max_size=32),
    time_ms=TIMES,
    ok=st.booleans(),
    duration_ms=COUNTS,
    attempts=COUNTS,
)
BATCHES = st.builds(
    Batch,
    agent=st.text(max_size=32),
    boot=BOOTS,
    seq=NUMBERS,
    samples=st.lists(samples(), max_size=8).map(tuple),
    polls=st.lists(POLLS, min_size=1, max_size=8).map(tuple),
) | st.builds(
    Batch,
    agent=st.text(max_size=32),
    boot=BOOTS,
    seq=NUMBERS,
    samples=st.lists(samples(), min_size=1, max_size=8).map(tuple),
)
SPANS = st.floats(0, 1e11)
ACKS = st.builds(
    Ack,
    boot=BOOTS,
    stored=st.lists(st.tuples(NUMBERS, NUMBERS).map(sorted).map(tuple), max_size=5).map(tuple),
    quarantined=st.lists(st.tuples(NUMBERS, st.text(max_size=20)), max_size=5).map(tuple),
    partly=st.lists(st.tuples(NUMBERS, st.text(max_size=20), NUMBERS), max_size=5).map(tuple),
)
STATUSES = st.builds(
    Status,
    agent=st.text(max_size=32),
    boot=BOOTS,
    online=st.booleans(),
    time_ms=st.integers(0, 4_102_444_799_999),
    read=COUNTS,
    stored=COUNTS,
    quarantined=COUNTS,
    pending=COUNTS,
    dropped=COUNTS,
    uptime_s=SPANS,
    spool_bytes=COUNTS,
    spool_age_s=SPANS,
    clock_ok=st.booleans(),
    clock_jumps=COUNTS,
    bus_load=st.dictionaries(st.text(max_size=32), SPANS, max_size=3),
    unacknowledged_s=SPANS,
    spool_share=st.none() | st.floats(0, 2),
    disk_used=st.none() | st.floats(0, 1),
    certificate_days=st.none() | st.floats(-1000, 1000),
)


@given(BATCHES)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    assert mqtt_messages.decode_batch(mqtt_messages.encode_batch(batch)) == batch


@given(ACKS)
def test_an_acknowledgement_comes_back_as_it_was(ack: Ack) -> None:
    assert mqtt_messages.decode_ack(mqtt_messages.encode_ack(ack)) == ack


@given(STATUSES)
def test_a_status_comes_back_as_it_was(status: Status) -> None:
    assert mqtt_messages.decode_status(mqtt_messages.encode_status(status)) == status


def test_a_status_of_an_earlier_agent_is_still_understood() -> None:
    """Earlier agents sent no uptime, clock and buses."""
    payload = (
        b'{"v":1,"agent":"a","boot":"6f1c2a9e","online":true,"time_ms":1795000000012,'
        b'"read":4,"stored":4,"pending":0,"dropped":0}'
    )
    status = mqtt_messages.decode_status(payload)
    assert (status.read, status.clock_ok, status.bus_load) == (4, True, {})
    assert (status.spool_share, status.disk_used, status.certificate_days) == (None, None, None)


def test_a_status_of_a_later_agent_is_understood_as_far_as_it_is_known() -> None:
    status = Status(agent="a", boot="6f1c2a9e", online=True, disk_used=0.5)
    later = {**json.loads(mqtt_messages.encode_status(status)), "battery": {"volts": 12.4}}
    assert mqtt_messages.decode_status(json.dumps(later).encode()) == status


def test_a_status_names_only_what_is_known() -> None:
    """An ingest of before the optional fields understands the status of an agent without TLS."""
    payload = mqtt_messages.encode_status(Status(agent="a", boot="6f1c2a9e", online=False))
    assert not {"spool_share", "disk_used", "certificate_days"} & set(json.loads(payload))


def test_a_batch_without_polls_is_sent_as_earlier_agents_sent_it() -> None:
    sample = Sample("m", 1_795_000_000_012, 0, ("energy_kwh",), (1.5,))
    payload = mqtt_messages.encode_batch(Batch("a", "6f1c2a9e", 1, (sample,)))
    assert b"polls" not in payload


def test_what_is_not_known_travels_as_null_and_comes_back_as_nan() -> None:
    sample = Sample("m", 1_795_000_000_012, 0, ("energy_kwh", "power_kw"), (math.nan, 1.5))
    payload = mqtt_messages.encode_batch(Batch("a", "6f1c2a9e", 1, (sample,)))
    assert json.loads(payload)["samples"][0][4] == [None, 1.5]
    values = mqtt_messages.decode_batch(payload).samples[0].values
    assert math.isnan(values[0])
    assert values[1] == 1.5


def test_the_form_is_the_one_that_the_contracts_show() -> None:
    quantities = ("energy_kwh", "power_kw", "voltage_a_v")
    sample = Sample("e-main", 1_795_000_000_012, 0, quantities, (812345.6, 212.4, 231.7))
    other = Sample("e-2", 1_795_000_000_013, 2, quantities, (1.0, 2.0, 3.0))
    assert json.loads(
        mqtt_messages.encode_batch(Batch("agent-1", "6f1c2a9e", 412, (sample, other)))
    ) == {
        "v": 1,
        "agent": "agent-1",
        "boot": "6f1c2a9e",
        "seq": 412,
        "layouts": [["energy_kwh", "power_kw", "voltage_a_v"]],
        "samples": [
            ["e-main", 1795000000012, 0, 0, [812345.6, 212.4, 231.7]],
            ["e-2", 1795000000013, 0, 2, [1.0, 2.0, 3.0]],
        ],
    }
    assert json.loads(
        mqtt_messages.encode_ack(Ack("6f1c2a9e", ((400, 412),), ((399, "why"),)))
    ) == {
        "v": 1,
        "boot": "6f1c2a9e",
        "stored": [[400, 412]],
        "quarantined": [[399, "why"]],
    }
    partly = Ack("6f1c2a9e", ((400, 412),), partly=((405, "unknown_meter", 2),))
    assert json.loads(mqtt_messages.encode_ack(partly))["partly"] == [[405, "unknown_meter", 2]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
KEYS = (
    "v",
    "agent",
    "boot",
    "seq",
    "layouts",
    "samples",
    "stored",
    "quarantined",
    "online",
    "read",
)
DECODERS = (mqtt_messages.decode_batch, mqtt_messages.decode_ack, mqtt_messages.decode_status)


def refused_or_decoded(payload: bytes) -> None:
    """Nothing but `WireError` comes out, and it can be said."""
    for decode in DECODERS:
        refusal = None
        try:
            decode(payload)
        except WireError as error:
            refusal = error
        assert refusal is None or (str(refusal) and refusal.reason.isidentifier())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else_happens(payload: bytes) -> None:
    refused_or_decoded(payload)


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_json_is_refused_or_decoded_and_nothing_else_happens(form: dict[str, object]) -> None:
    refused_or_decoded(json.dumps(form).encode())


@given(BATCHES, st.data())
def test_a_damaged_batch_is_refused_or_decoded(batch: Batch, data: st.DataObject) -> None:
    payload = bytearray(mqtt_messages.encode_batch(batch))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    refused_or_decoded(bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    refused_or_decoded(bytes(payload))


FORM = {
    "v": 1,
    "agent": "agent-1",
    "boot": "6f1c2a9e",
    "seq": 1,
    "layouts": [["energy_kwh"]],
    "samples": [["e-main", 1795000000012, 0, 0, [1.5]]],
}


def changed(**changes: object) -> bytes:
    return json.dumps(FORM | changes).encode()


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("too_large", b" " * (mqtt_messages.MAX_PAYLOAD + 1)),
        ("not_json", b""),
        ("not_json", b"\xff\xfe"),
        ("not_json", changed()[:-1]),
        ("not_json", changed() + b"x"),
        ("not_json", b'{"v":1,"agent":"\xff"}'),
        ("not_json", changed().replace(b"1.5", b"NaN")),
        ("form", b"[]"),
        ("form", b'{"v":1,"agent":5,"x":' + b"[" * 100_000),
        ("form", changed(extra=1)),
        ("form", changed(seq=0)),
        ("form", changed(seq=2**53)),
        ("form", changed(seq=1.5)),
        ("form", changed(boot="6F1C2A9E")),
        ("form", changed(boot="6f1c2a9e\n")),
        ("form", changed(samples=[["e-main", 1795000000012, 0, 0, ["1.5"]]])),
        ("form", changed(samples=[["e-main", 1795000000012, 0, 10**400, [1.5]]])),
        ("form", changed(samples=[["e-main", 1795000000012, 0, -1, [1.5]]])),
        ("form", changed(samples=[["e-main", 1795000000012, 0, 0, [1.5], "more"]])),
        ("form", changed().replace(b"1.5", b"1e999")),
        ("version", changed(v=2)),
        ("version", b'{"v":2,"readings":{}}'),
        ("empty", changed(samples=[])),
        ("quantity", changed(layouts=[["energy"]])),
        ("layout", changed(layouts=[["energy_kwh", "energy_kwh"]])),
        ("layout", changed(layouts=[])),
        ("layout", changed(samples=[["e-main", 1795000000012, -1, 0, [1.5]]])),
        ("layout", changed(samples=[["e-main", 1795000000012, 0, 0, []]])),
        ("time", changed(samples=[["e-main", 0, 0, 0, [1.5]]])),
        ("time", changed(samples=[["e-main", 1795000000012000, 0, 0, [1.5]]])),
    ],
    ids=lambda one: one if isinstance(one, str) else repr(one[-40:]),
)
def test_what_is_wrong_is_named(reason: str, payload: bytes) -> None:
    with pytest.raises(WireError) as caught:
        mqtt_messages.decode_batch(payload)
    assert caught.value.reason == reason


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    payload = b'{"v":1,"boot":"6f1c2a9e","stored":[[5,4]],"quarantined":[]}'
    with pytest.raises(WireError, match="ends before it begins"):
        mqtt_messages.decode_ack(payload)


@pytest.mark.parametrize("channel", ["batch", "ack", "status"])
def test_a_topic_comes_back_as_it_was(channel: mqtt_messages.Channel) -> None:
    assert mqtt_messages.parse_topic(mqtt_messages.topic("s", "a", channel)) == ("s", "a", channel)


@pytest.mark.parametrize(
    "name", ["", "jieneng/1/s/a", "jieneng/2/s/a/batch", "jieneng/1/s/a/b/batch", "x/1/s/a/batch"]
)
def test_other_topics_are_refused(name: str) -> None:
    with pytest.raises(WireError) as caught:
        mqtt_messages.parse_topic(name)
    assert caught.value.reason == "topic"
