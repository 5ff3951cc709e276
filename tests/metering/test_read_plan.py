"""Registers wanted -> the fewest reads."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jieneng.metering.catalog import Model, ModelHead, PointRow
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.read_plan import plan
from jieneng.site_folder import packaged_models

NAMES = sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)


def model(addresses: list[int], max_registers: int, max_gap: int) -> Model:
    head = ModelHead(
        id="m", name="m", medium="electricity", source="made for a test", confidence="manual",
        max_registers=max_registers, max_gap=max_gap,
    )  # fmt: skip
    points = tuple(
        PointRow(quantity=name, function=3, address=address, type="u32")
        for name, address in zip(NAMES, addresses, strict=False)
    )
    return Model(model=head, point=points)


def fewest(spans: list[tuple[int, int]], max_registers: int, max_gap: int) -> int:
    """By trying every way to cut the sorted values into runs."""
    best = len(spans)
    for cuts in range(1 << (len(spans) - 1)):
        runs: list[list[tuple[int, int]]] = [[spans[0]]]
        for bit, span in enumerate(spans[1:]):
            if cuts >> bit & 1:
                runs.append([span])
            else:
                runs[-1].append(span)
        fits = all(
            run[-1][1] - run[0][0] <= max_registers
            and all(b[0] - a[1] <= max_gap for a, b in pairwise(run))
            for run in runs
        )
        if fits:
            best = min(best, len(runs))
    return best


@given(
    st.lists(st.integers(0, 120), min_size=1, max_size=9, unique=True),
    st.integers(2, 60),
    st.integers(0, 20),
)
def test_no_plan_has_fewer_reads(addresses: list[int], max_registers: int, max_gap: int) -> None:
    addresses = [2 * address for address in addresses]
    reads = plan(model(addresses, max_registers, max_gap))
    spans = [(address, address + 2) for address in sorted(addresses)]
    assert len(reads) == fewest(spans, max_registers, max_gap)
    assert sum(len(read.quantities) for read in reads) == len(addresses)
    assert all(read.count <= max_registers for read in reads)


def test_ratios_are_applied_where_the_model_asks_for_them_and_exactly() -> None:
    """CT 240 on a register of hundredths: 812345.6 kWh of the primary side."""
    acrel = packaged_models()["acrel-dtsd1352"]
    first = plan(acrel, {"ct": Fraction(240), "pt": Fraction(1)}, ["energy_kwh"])[0]
    assert first.decode((338477).to_bytes(4, "big")) == (812344.8,)


def test_functions_are_never_mixed_in_a_read() -> None:
    both = model([0, 2], 60, 20)
    points = (both.point[0], PointRow(quantity="power_kw", function=4, address=2, type="f32"))
    assert [r.function for r in plan(Model(model=both.model, point=points))] == [3, 4]


@pytest.mark.parametrize("name", sorted(packaged_models()))
def test_every_packaged_model_can_be_planned(name: str) -> None:
    packaged = packaged_models()[name]
    reads = plan(packaged)
    quantities = [quantity for read in reads for quantity in read.quantities]
    assert sorted(quantities) == sorted(point.quantity for point in packaged.point)
