"""A poll becomes one sample: its own time, its own day's ratios, NaN for what is unknown."""

import math
import struct
from collections.abc import Sequence
from datetime import date, datetime
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from edge_agent.polling.polled_meter import PolledMeter, PollResult
from edge_agent.protocols.request_reply import Reply
from edge_agent.timekeeping.clock_trust import RUNNING_TIME_EPOCH_MS
from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.reading import PollReport, Quality, Sample
from jieneng.metering.registers import TYPES
from jieneng.metering.site import DatedValue, Meter
from jieneng.site_folder import packaged_models
from tests.edge_agent import agent_setup

ZONE = ZoneInfo("Asia/Shanghai")
MODELS = modbus_models(packaged_models())
NOW = 1_795_000_000_000


def polled(**more: object) -> PolledMeter:
    return PolledMeter(agent_setup.meter("e-1", "b", 1, **more), agent_setup.EVEN, ZONE)


def asked(meter: PolledMeter, number: int) -> tuple[ModbusRead, ...]:
    """The reads of a poll, which are Modbus reads."""
    reads = meter.reads_due(number)
    assert all(isinstance(read, ModbusRead) for read in reads)
    return cast("tuple[ModbusRead, ...]", reads)


def replies(meter: PolledMeter, *times_ms: int | None) -> list[Reply | None]:
    """A reply a read: energy 1234.56 kWh and zeros; None where there is none."""
    return [
        None
        if time_ms is None
        else Reply(struct.pack(">I", 123456).ljust(2 * read.count, b"\0"), time_ms)
        for read, time_ms in zip(asked(meter, 0), times_ms, strict=True)
    ]


def heard(meter: PolledMeter, replies: Sequence[Reply | None]) -> PollResult:
    """A poll that ended this way."""
    stamp = meter.timestamp_reply(replies)
    return PollResult(
        meter, meter.due_cadences, replies, NOW if stamp is None else stamp.time_ms, True, 9, 1
    )


def understood(meter: PolledMeter, replies: Sequence[Reply | None]) -> Sample | None:
    return heard(meter, replies).sample()


def known(meter: PolledMeter, *times_ms: int | None) -> dict[str, float]:
    sample = understood(meter, replies(meter, *times_ms))
    assert sample is not None
    return {
        name: value
        for name, value in zip(sample.quantities, sample.values, strict=True)
        if not math.isnan(value)
    }


def test_the_stamp_is_that_of_the_counter() -> None:
    meter = polled()
    sample = understood(meter, replies(meter, NOW, NOW + 50, NOW + 90))
    assert sample is not None
    assert (sample.meter, sample.time_ms, sample.quality) == ("e-1", NOW, 0)


def test_without_the_counter_the_stamp_is_that_of_the_last_reply() -> None:
    meter = polled()
    sample = understood(meter, replies(meter, None, NOW + 50, NOW + 90))
    assert sample is not None
    assert sample.time_ms == NOW + 90


def test_what_was_not_answered_is_unknown_and_never_zero() -> None:
    meter = polled()
    assert set(known(meter, NOW, None, None)) == {"energy_kwh"}
    assert "energy_kwh" not in known(meter, None, NOW, NOW)
    assert understood(meter, replies(meter, None, None, None)) is None


def test_the_samples_of_a_meter_share_one_tuple_of_names() -> None:
    meter = polled()
    one, two = (understood(meter, replies(meter, NOW + n, NOW + n, None)) for n in (0, 1))
    assert one is not None
    assert two is not None
    assert one.quantities is two.quantities


def test_an_infinite_register_is_unknown() -> None:
    model = MODELS["eastron-sdm630"]
    meter = PolledMeter(agent_setup.meter("e-1", "b", 1, model=model.id), model, ZONE)
    blocks = [bytearray(2 * read.count) for read in asked(meter, 0)]
    [voltages] = [
        block
        for block, read in zip(blocks, asked(meter, 0), strict=True)
        if "voltage_a_v" in read.quantities
    ]
    voltages[0:4] = struct.pack(">f", math.inf)
    voltages[4:8] = struct.pack(">f", 230.5)
    sample = understood(meter, [Reply(bytes(block), NOW) for block in blocks])
    assert sample is not None
    values = dict(zip(sample.quantities, sample.values, strict=True))
    assert math.isnan(values["voltage_a_v"])
    assert values["voltage_b_v"] == 230.5


@pytest.mark.parametrize("unknown", ["energy_kwh", "voltage_b_v", "power_kw"])
def test_a_register_that_says_no_value_is_unknown_and_nothing_else_is_lost(unknown: str) -> None:
    """A counter of all ones was believed, and so was 6,553.5 V."""
    model = MODELS["acrel-dtsd1352"]
    meter = PolledMeter(agent_setup.meter("e-1", "b", 1, model=model.id), model, ZONE)
    reads = asked(meter, 0)
    blocks = [bytearray([0, 1] * read.count) for read in reads]
    row = next(row for row in model.point if row.quantity == unknown)
    [(block, read)] = [
        (block, read)
        for block, read in zip(blocks, reads, strict=True)
        if unknown in read.quantities
    ]
    at = 2 * (row.address - read.address)
    kind = TYPES[row.type]
    block[at : at + 2 * kind.words] = (kind.no_value or 0).to_bytes(2 * kind.words, "big")
    sample = understood(meter, [Reply(bytes(block), NOW) for block in blocks])
    assert sample is not None
    values = dict(zip(sample.quantities, sample.values, strict=True))
    assert [name for name, value in values.items() if math.isnan(value)] == [unknown]
    assert sample.quality == 0


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


CT = (DatedValue(date(2020, 1, 1), 40.0), DatedValue(date(2026, 12, 1), 60.0))


@pytest.mark.parametrize(
    ("time", "factor"),
    [
        ("2020-01-01T00:00:00+08:00", 40),
        ("2026-11-30T23:59:59.999+08:00", 40),
        ("2026-11-30T16:00:00+00:00", 60),  # midnight at the site
        ("2030-06-01T00:00:00+08:00", 60),
    ],
)
def test_a_ratio_holds_from_its_local_day(time: str, factor: int) -> None:
    meter = polled(ct=CT)
    assert known(meter, ms(time), None, None)["energy_kwh"] == 123456 * factor / 100


def test_a_counter_does_not_jump_when_the_first_dated_ratio_comes_into_force() -> None:
    """Before its first row a ratio is what that row says; 1 only where there is no row at all."""
    meter = polled(ct=CT, pt=(DatedValue(date(2026, 12, 15), 10.0),))
    told = [
        known(meter, ms(time), None, None)["energy_kwh"]
        for time in ("2019-12-31T23:59:59.999+08:00", "2020-01-01T00:00:00+08:00")
    ]
    assert told == [123456 * 40 * 10 / 100] * 2
    assert known(polled(), NOW, None, None)["energy_kwh"] == 1234.56


def test_ratios_follow_the_reply_over_midnight_and_back() -> None:
    """The clock may be set back over the change as well."""
    meter = polled(
        ct=CT, pt=(DatedValue(date(2020, 1, 1), 1.0), DatedValue(date(2026, 12, 15), 10.0))
    )
    told = [
        known(meter, ms(f"{day}T12:00:00+08:00"), None, None)["energy_kwh"]
        for day in ("2026-11-30", "2026-12-01", "2026-12-15", "2026-11-30")
    ]
    assert told == [123456 * factor / 100 for factor in (40, 60, 600, 40)]


def test_a_jump_is_kept_and_marked() -> None:
    meter = polled(rated_max=100.0)
    blocks = [bytes(2 * read.count) for read in asked(meter, 0)]
    first = understood(meter, [Reply(block, NOW) for block in blocks])
    blocks[0] = struct.pack(">I", 911_300)
    second = understood(meter, [Reply(block, NOW + 10_000) for block in blocks])
    assert first is not None
    assert second is not None
    assert (first.quality, second.quality) == (0, Quality.TOO_FAST)
    assert second.values[0] == 9113.0


def test_every_packaged_model_can_be_polled() -> None:
    for model in MODELS.values():
        meter = Meter(
            id="m", name="m", medium=model.model.medium, area="a", model=model.id, rated_max=1.0
        )
        one = PolledMeter(meter, model, ZONE)
        sample = understood(one, [Reply(bytes(2 * read.count), NOW) for read in asked(one, 0)])
        assert sample is not None
        assert CONSUMPTION[model.model.medium] in sample.quantities


def test_a_slow_quantity_is_asked_for_at_its_pace_and_again_until_it_was_got() -> None:
    """Of the polls 60, 61, ... the one of 66 is lost: what was due in it is due in 67."""
    slow = [row.quantity for row in agent_setup.EVEN.point if row.quantity != "energy_kwh"]
    meter = polled(every=dict.fromkeys(slow, 6))
    sizes = []
    for number in range(60, 74):
        reads = asked(meter, number)
        sizes.append(len(reads))
        lost = number == 66
        understood(meter, [None if lost else Reply(bytes(2 * read.count), NOW) for read in reads])
        if not lost:
            meter.mark_complete()
    assert sizes == [3, 1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 3, 1]


def test_a_poll_without_the_slow_quantities_says_nothing_of_them() -> None:
    """They are absent from its sample: neither zero nor NaN, which would be a failed reading."""
    slow = [row.quantity for row in agent_setup.EVEN.point if row.quantity != "energy_kwh"]
    meter = polled(every=dict.fromkeys(slow, 6))
    found = []
    for number in (6, 7):
        reads = asked(meter, number)
        sample = understood(meter, [Reply(bytes(2 * read.count), NOW) for read in reads])
        meter.mark_complete()
        assert sample is not None
        found.append(sample.quantities)
    assert found[1] == ("energy_kwh",)
    assert set(found[0]) == {"energy_kwh", *slow}


def test_polls_may_be_understood_later_in_the_order_in_which_they_were_heard() -> None:
    """Whatever is due at that time, and whichever ratio holds."""
    slow = [row.quantity for row in agent_setup.EVEN.point if row.quantity != "energy_kwh"]
    at_once, later = (
        polled(every=dict.fromkeys(slow, 6), ct=CT, rated_max=100.0) for _ in range(2)
    )
    first_ms = ms("2026-11-30T23:59:00+08:00")
    waiting, samples = [], []
    for number in range(6, 20):
        for meter in (at_once, later):
            time_ms = first_ms + 5000 * number  # over midnight
            registers = struct.pack(">I", 10 * number)
            said = [
                Reply(registers.ljust(2 * read.count, b"\1"), time_ms)
                for read in asked(meter, number)
            ]
            meter.mark_complete()
            if meter is later:
                waiting.append(heard(meter, said))
            else:
                samples.append(understood(meter, said))
    assert len({one.due_cadences for one in waiting}) == 2
    assert [one.sample() for one in waiting] == samples
    energies = [sample.values[0] for sample in samples if sample is not None]
    assert (energies[0], energies[-1]) == (60 * 0.4, 190 * 0.6)


def test_a_poll_reports_itself_whatever_it_found() -> None:
    meter = polled()
    one = heard(meter, replies(meter, None, None, None))
    assert one.sample() is None
    assert one.report() == PollReport("e-1", NOW, True, 9, 1)


def test_a_reading_without_a_time_has_the_ratio_of_the_earliest_that_a_clock_may_tell() -> None:
    """Its stamp is the machine's running time, which looks like a day of 2001."""
    meter = polled(ct=(DatedValue(date(2010, 1, 1), 40.0), DatedValue(date(2015, 1, 1), 60.0)))
    one = heard(meter, replies(meter, 1_000, None, None)).with_time(RUNNING_TIME_EPOCH_MS + 1_000)
    sample = one.sample()
    assert sample is not None
    assert (sample.time_ms, sample.values[0]) == (RUNNING_TIME_EPOCH_MS + 1_000, 123456 * 60 / 100)
