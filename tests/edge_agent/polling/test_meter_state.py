"""The state of a meter is kept when its link changes."""

from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge_agent.polling.meter_state import MeterState
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols.modbus import encode
from jieneng import observe
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import DeviceRefused
from jieneng.site_folder import packaged_models
from tests.edge_agent.agent_setup import meter


def test_a_meter_whose_way_changed_is_asked_in_the_framing_of_the_new_one() -> None:
    """A gateway that is set from Modbus TCP to RTU over TCP, and the site's file with it."""
    polled = PolledMeter(
        meter("m", "b", 7), packaged_models()["acrel-dtsd1352"], ZoneInfo("Asia/Shanghai")
    )
    state = MeterState(polled, "b", "tcp", observe.log("test"))
    before = state.reads_due(0)
    for _ in range(3):
        before[0].record_refusal(DeviceRefused(2), 100.0)
    state.change_link("rtu_tcp")
    after = state.reads_due(1)
    for one in after:
        assert isinstance(one.read, ModbusRead)
        (sent, _, _), (wanted, _, _) = (
            next(request.exchange(5)) for request in (one.request, encode("rtu_tcp", 7, one.read))
        )
        assert sent == wanted
    assert after[0].breaker is before[0].breaker
    assert after[0].breaker.failures == 3


def test_so_is_what_it_was_never_asked_for_before() -> None:
    """Where a poll asks for other registers than the last one on the old way."""
    polled = PolledMeter(
        meter("m", "b", 7, every={"voltage_a_v": 4}),
        packaged_models()["acrel-dtsd1352"],
        ZoneInfo("Asia/Shanghai"),
    )
    state = MeterState(polled, "b", "tcp", observe.log("test"))
    before = {one.read.request_key for one in state.reads_due(0)}
    polled.mark_complete()
    state.change_link("rtu_tcp")
    new = [one for one in state.reads_due(1) if one.read.request_key not in before]
    assert new
    for one in new:
        assert isinstance(one.read, ModbusRead)
        wanted = encode("rtu_tcp", 7, one.read)
        assert next(one.request.exchange(5)) == next(wanted.exchange(5))


def request_order(model: Model, late: str | None) -> list[str]:
    """Return the first quantity of each request of a poll, after a read was not answered."""
    polled = PolledMeter(meter("m", "b", 7, model=model.id), model, ZoneInfo("Asia/Shanghai"))
    state = MeterState(polled, "b", "rtu_tcp", observe.log("test"))
    whole = state.reads_due(0)
    polled.mark_complete()
    reads = state.reads_due(1)
    if late is not None:
        known = [one.read for one in (*reads, *whole)]
        state.late_read = next(read for read in known if late in read.quantities)
    return [reads[number].read.quantities[0] for number in state.request_order(reads)]


@pytest.mark.parametrize(
    ("late", "first"),
    [
        (None, "energy_kwh"),
        ("power_kw", "voltage_a_v"),
        ("energy_kwh", "voltage_a_v"),
        ("voltage_a_v", "energy_kwh"),
        ("power_factor", "energy_kwh"),
    ],
)
def test_a_poll_after_a_silence_begins_with_a_reply_of_another_shape(
    late: str | None, first: str
) -> None:
    """The three replies of a usual poll have 4, 46 and 4 bytes."""
    order = request_order(packaged_models()["acrel-dtsd1352"], late)
    assert order[0] == first
    assert sorted(order) == ["energy_kwh", "power_kw", "voltage_a_v"]


def test_if_all_replies_have_one_shape_it_begins_with_the_read_that_was_not_answered() -> None:
    """Whichever of its replies comes, its registers are the right ones."""
    model = packaged_models()["acrel-dtsd1352"]
    alike = [row for row in model.point if row.quantity in ("energy_kwh", "power_kw")]
    model = msgspec.structs.replace(model, point=tuple(alike))
    assert request_order(model, "power_kw") == ["power_kw", "energy_kwh"]
    assert request_order(model, "energy_kwh") == ["energy_kwh", "power_kw"]
