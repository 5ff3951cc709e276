"""What is known of a meter outlives the way to it."""

from zoneinfo import ZoneInfo

from edge_agent.polling.meter_state import MeterState
from edge_agent.polling.polled_meter import PolledMeter
from edge_agent.protocols.modbus import encode
from jieneng import observe
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
