"""The history has the readings that polls would have had."""

from datetime import date, timedelta

import numpy as np

from jieneng.metering.catalog.modbus_points import modbus_models
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.site import Site, SiteInfo
from jieneng.site_folder import SiteFolder
from simulators import meter_history
from simulators.registers.device_history import transformer_ratios
from simulators.simulated_site import SimulatedSite
from tests.simulators.modbus_words import has_registers, words_of


def test_every_counter_of_every_meter_has_its_readings(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    """Seven years of days and 400 days of hours, of 30 meters."""
    days = meter_history.midnights(example.site, date(2020, 1, 1), date(2026, 11, 22))
    assert len(days) == 2518
    recent = meter_history.full_hours(int(days[-400]), int(days[-1]))
    assert len(recent) == 399 * 24
    seen = set()
    for times in (days, recent):
        for series in meter_history.readings(simulated, times):
            seen.add((series.meter, series.quantity))
            assert series.values.shape == times.shape
            assert not np.isnan(series.values).any()
            falls = (np.diff(series.values) < 0).sum()
            counts = series.quantity != "energy_export_kwh"  # nothing is fed back
            swapped = series.meter == "e-b3" and times is days and counts
            assert falls == (1 if swapped else 0), series.meter
    wanted = {
        (one.id, row.quantity)
        for one in example.site.meter
        for row in example.models[one.model or ""].point
        if QUANTITIES[row.quantity].kind == "counter"
    }
    assert seen == wanted


def test_the_agents_own_read_plan_reads_the_same_digits(
    example: SiteFolder, simulated: SimulatedSite
) -> None:
    """Read plan and decoder of the agent, against the registers, at moments over six years."""
    moments = meter_history.midnights(example.site, date(2020, 3, 1), date(2026, 3, 1))[::365]
    for one in example.site.meter:
        readings = simulated.meters[one.id].readings(moments)[CONSUMPTION[one.medium]]
        for moment, value in zip(moments.tolist(), readings.tolist(), strict=True):
            ct, pt = transformer_ratios(example.site, one, moment)
            for read in plan(modbus_models(example.models)[one.model or ""], {"ct": ct, "pt": pt}):
                words = words_of(
                    simulated.meters[one.id], read.function, read.address, read.count, moment
                )
                assert has_registers(
                    simulated.meters[one.id], read.function, read.address, read.count, moment
                )
                said = read.decode(b"".join(word.to_bytes(2, "big") for word in words))
                found = dict(zip(read.quantities, said, strict=True))
                if CONSUMPTION[one.medium] in found:
                    assert found[CONSUMPTION[one.medium]] == value, one.id


def test_midnights_are_local_and_days_of_summer_time_have_23_or_25_hours(
    example: SiteFolder,
) -> None:
    assert (
        meter_history.midnights(example.site, date(2020, 1, 1), date(2020, 1, 1))
        == 1_577_808_000_000
    )
    london = Site(site=SiteInfo(id="s", name="s", timezone="Europe/London"))
    for sunday, hours in ((date(2020, 3, 29), 23), (date(2020, 10, 25), 25)):
        edges = meter_history.midnights(london, sunday, sunday + timedelta(days=1))
        assert np.diff(edges).tolist() == [hours * 3_600_000]


def test_full_hours_begin_at_the_next_one() -> None:
    hour = 3_600_000
    assert meter_history.full_hours(5 * hour, 7 * hour).tolist() == [5 * hour, 6 * hour]
    assert meter_history.full_hours(5 * hour + 1, 7 * hour + 1).tolist() == [6 * hour, 7 * hour]
