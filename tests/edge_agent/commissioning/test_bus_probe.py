"""Units are found, models are recognised, and registers are read past refusals."""

import math
import struct
from collections.abc import Iterator

import msgspec
import pytest

from edge_agent.commissioning import model_match, search_ranges
from edge_agent.commissioning.model_match import PLAUSIBLE_RANGES, ModelMatch
from edge_agent.commissioning.model_probe import ModelProbe
from jieneng.metering.catalog.modbus_points import (
    ForbiddenRow,
    IdentityRow,
    ModbusModel,
    modbus_models,
)
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.errors import DeviceRefused, LinkDown
from jieneng.metering.quantities import QUANTITIES
from jieneng.site_folder import packaged_models
from tests.edge_agent.commissioning.unknown_meters import (
    Documented,
    Gateway,
    probing,
    quiet,
    served,
)
from tests.edge_agent.misbehaving import Act, Question, misbehaving
from tests.servers import free_port

pytestmark = pytest.mark.server

MODELS = modbus_models(packaged_models())
kinds = pytest.mark.parametrize("kind", ["tcp", "rtu_tcp"])


# --- who is there -------------------------------------------------------------------------------


@kinds
async def test_units_are_found_among_silent_ones(kind: str) -> None:
    async with (
        served(*MODELS.values(), link=kind) as port,
        probing(port, kind, timeout_s=0.03) as bus_probe,
    ):
        shares: list[float] = []
        there = await bus_probe.scan(range(1, len(MODELS) + 4), shares.append)
    assert [one.unit for one in there] == list(range(1, len(MODELS) + 1))
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


@kinds
async def test_who_refuses_and_who_is_garbled_is_there_too(kind: str) -> None:
    def behave(question: Question) -> Iterator[Act]:
        match question.unit:
            case 1:
                yield question.reply(1)
            case 2:
                yield question.refusal(2)
            case 3:
                yield question.reply(1, unit=7)
            case 4 if question.function == 4:  # deaf to the other function
                yield question.reply(1)
            case 5:
                yield question.refusal(0x0B)  # the gateway speaks for nobody

    async with (
        misbehaving(behave, rtu=kind != "tcp") as server,
        probing(server.port, kind, timeout_s=0.04) as bus_probe,
    ):
        there = await bus_probe.scan(range(1, 7), quiet)
    found = {one.unit: one.response for one in there}
    assert found == {1: "answers", 2: "refuses", 3: "garbled", 4: "answers"}
    assert isinstance(there[1].error, DeviceRefused)


async def test_one_question_at_a_time_over_one_connection_and_only_reading() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(2310)

    async with misbehaving(behave) as server, probing(server.port) as bus_probe:
        await bus_probe.scan(range(1, 4), quiet)
        await ModelProbe(bus_probe, 1).match_models(list(MODELS.values()), quiet)
        await bus_probe.read_registers(1, search_ranges.by_both_functions(range(100)), quiet)
        assert server.connections == 1
        assert {question.function for question in server.questions} <= {3, 4}


@pytest.mark.parametrize("there", [{1, 2, 5}, {3, 6, 8}])
@pytest.mark.parametrize("says", [True, False])
async def test_a_question_that_was_given_up_stands_before_no_other(
    there: set[int], says: bool
) -> None:
    """The gateway serves what a connection asks one after the other, and the silent take longer
    than they are waited for."""
    gateway = Gateway(there, 0.5, says=says, shared=False)
    async with gateway.serving() as port, probing(port, timeout_s=0.15) as bus_probe:
        found = await bus_probe.scan(range(1, 10), quiet)
    assert {one.unit for one in found} == there


@pytest.mark.parametrize("says", [True, False])
async def test_how_long_a_silent_unit_holds_up_the_others_is_found_out(says: bool) -> None:
    async with Gateway({2}, 0.6, says=says).serving() as port, probing(port) as bus_probe:
        assert 0.6 <= await bus_probe.measure_gateway_block_s(1, [2]) < 2.0
        alone = await bus_probe.measure_gateway_block_s(1, [])
        assert (0.6 <= alone < 2.0) if says else alone == 0.0, "where nobody is, a refusal tells"


@kinds
async def test_where_nobody_is_held_up_the_silent_are_silent(kind: str) -> None:
    async with (
        served(MODELS["acrel-dtsd1352"], link=kind) as port,
        probing(port, kind) as bus_probe,
    ):
        assert await bus_probe.measure_gateway_block_s(7, [1]) == 0.0


async def test_who_is_waited_for_longer_is_found_behind_a_slow_gateway() -> None:
    async with Gateway({1, 4, 5}, 0.4, says=False).serving() as port, probing(port) as bus_probe:
        await bus_probe.set_timeout(await bus_probe.measure_gateway_block_s(2, [1]) * 1.5)
        found = await bus_probe.scan(range(1, 6), quiet)
    assert [one.unit for one in found] == [1, 4, 5]


async def test_a_link_that_is_not_there_is_no_silence() -> None:
    async with probing(free_port()) as bus_probe:
        with pytest.raises(LinkDown):
            await bus_probe.scan(range(1, 3), quiet)


# --- which model --------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("name", MODELS)
async def test_each_model_of_the_library_is_recognised(kind: str, name: str) -> None:
    async with served(MODELS[name], link=kind) as port, probing(port, kind) as bus_probe:
        fits = await ModelProbe(bus_probe, 1).match_models(list(MODELS.values()), quiet)
    good, alike = model_match.rank(fits)
    assert name in [one.model for one in alike], [(one.model, one.evidence_bits) for one in good]
    assert good[0].evidence_bits > 1


async def test_a_unit_that_refuses_everything_is_no_model() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.refusal(2)

    async with misbehaving(behave) as server, probing(server.port) as bus_probe:
        fits = await ModelProbe(bus_probe, 1).match_models(list(MODELS.values()), quiet)
        asked = len(server.questions)
    assert model_match.rank(fits) == ([], [])
    assert all(isinstance(one.mismatch and one.mismatch.error, DeviceRefused) for one in fits)
    assert asked <= 3 * len(MODELS), "what was refused once is not asked again"


async def test_a_unit_that_shows_only_zeros_can_not_be_told() -> None:
    """Many gateways answer so for registers that nobody filled."""

    def behave(question: Question) -> Iterator[Act]:
        yield question.reply(0)

    async with misbehaving(behave) as server, probing(server.port) as bus_probe:
        _, alike = model_match.rank(
            await ModelProbe(bus_probe, 1).match_models(list(MODELS.values()), quiet)
        )
    undemanding = {
        name for name, one in MODELS.items() if all(row.expect in (None, 0) for row in one.identity)
    }
    assert {one.model for one in alike} == undemanding
    assert alike[0].evidence_bits == 0


#: What a DTSD1352 holds that counted 81.23 kWh at 231 V and 50 Hz.
HELD = {0x00: 0, 0x01: 8123, 0x61: 2310, 0x62: 2311, 0x63: 2312, 0x77: 5000, 0x16A: 0, 0x16B: 9}


@pytest.mark.parametrize(("most", "how"), [(125, "apart"), (2, "alone")])
async def test_a_model_fits_only_as_the_agent_will_read_it(most: int, how: str) -> None:
    """The device refuses what lies between; the model that was printed asked for it."""
    model = MODELS["acrel-dtsd1352"]
    async with (
        misbehaving(Documented(model, HELD, most)) as server,
        probing(server.port) as bus_probe,
    ):
        good, _ = model_match.rank(
            await ModelProbe(bus_probe, 1).match_models(list(MODELS.values()), quiet)
        )
        best = good[0]
        assert best.model == model.id
        assert {one.quantity: one.value for one in best.values}["voltage_b_v"] == 231.1
        assert best.variant is not None
        assert best.variant.id == f"{model.id}-{how}"
        assert await ModelProbe(bus_probe, 1).readable_variant(model) == best.variant
        for read in plan(best.variant):
            await bus_probe.request(1, read)


async def test_a_model_that_the_unit_answers_as_it_is_stays_so() -> None:
    model = MODELS["acrel-dtsd1352"]
    async with served(model) as port, probing(port) as bus_probe:
        [fit] = await ModelProbe(bus_probe, 1).match_models([model], quiet)
        assert fit.variant is None
        assert await ModelProbe(bus_probe, 1).readable_variant(model) is model
        assert await ModelProbe(bus_probe, 1).readable_variant(MODELS["eastron-sdm630"]) is None


def named(model: ModbusModel, *rows: IdentityRow) -> ModbusModel:
    return msgspec.structs.replace(model, identity=rows)


async def test_what_a_device_says_of_itself_decides() -> None:
    """Two models have the same registers; the type code tells them apart."""
    row = IdentityRow(label="type", function=3, address=0x300, type="u16", expect=3155)
    plain = MODELS["schneider-iem3155"]
    other = msgspec.structs.replace(row, expect=3150)
    right, wrong = named(plain, row), named(plain, other)
    async with served(right) as port, probing(port) as bus_probe:
        fits = await ModelProbe(bus_probe, 1).match_models([right, wrong, plain], quiet)
    assert [one.mismatch and one.mismatch.value for one in fits] == [None, "3155", None]
    assert fits[0].identity == (("type", "3155"),)
    assert fits[0].evidence_bits > fits[2].evidence_bits + 8


async def test_a_value_that_a_model_lets_be_unknown_is_no_reason_against_it() -> None:
    model = MODELS["fronius-smart-meter"]
    [read] = plan(model, wanted=["voltage_a_v"])
    unknown = model_match.match_values(model, [(read, bytes.fromhex("8000") * (read.size // 2))])
    assert unknown.mismatch is None
    assert unknown.evidence_bits == 0


def test_what_is_forbidden_is_left_out() -> None:
    rows = [{"function": 3, "from": 10, "to": 19, "why": "it starts anew"},
            {"function": 3, "from": 90, "to": 120, "why": "it starts anew"}]  # fmt: skip
    model = msgspec.structs.replace(
        MODELS["acrel-dtsd1352"], forbidden=msgspec.convert(rows, tuple[ForbiddenRow, ...])
    )
    wanted = search_ranges.by_both_functions(range(100))
    assert list(search_ranges.without_forbidden(model, wanted)) == [
        (3, range(10)), (3, range(20, 90)), (4, range(100)),
    ]  # fmt: skip


def test_every_quantity_has_its_plausible_range() -> None:
    assert set(PLAUSIBLE_RANGES) == set(QUANTITIES)
    for plausible in PLAUSIBLE_RANGES.values():
        assert not plausible.is_possible(math.nan)
        assert not plausible.is_possible(math.inf)
        least, most = plausible.typical or (plausible.minimum, plausible.maximum)
        assert plausible.minimum <= least < most <= plausible.maximum


@pytest.mark.parametrize(
    ("quantity", "value", "possible", "typical"),
    [
        ("voltage_a_v", 231.0, True, True),
        ("voltage_a_v", 57.7, True, True),
        ("voltage_a_v", 0.0, True, False),
        ("voltage_a_v", 5774.0, True, False),
        ("voltage_a_v", -231.0, False, False),
        ("frequency_hz", 50.02, True, True),
        ("frequency_hz", 5.0, False, False),
        ("voltage_b_v", 0.05, True, False),  # an open phase, in a float
        ("current_a_a", -0.00005, True, False),
        ("power_factor", 0.0004, True, False),
        ("temperature_c", 0.02, True, False),
        ("voltage_b_v", 3.2e-42, False, False),  # 2310 as a float: a nought would be one
        ("power_factor", -0.92, True, True),
        ("power_factor", 92.0, False, False),
        ("energy_kwh", 0.0, True, False),
        ("energy_kwh", -3.0, False, False),
        ("energy_kwh", 1e-30, False, False),
        ("energy_kwh", 4e9, False, False),
    ],
)
def test_what_a_meter_can_show(quantity: str, value: float, possible: bool, typical: bool) -> None:
    assert PLAUSIBLE_RANGES[quantity].is_possible(value) is possible
    assert PLAUSIBLE_RANGES[quantity].is_typical(value) is typical


@pytest.mark.parametrize(("quantity", "shown"), [("voltage_b_v", 0.05), ("current_a_a", 0.00005)])
def test_a_float_that_is_all_but_zero_speaks_against_no_model(quantity: str, shown: float) -> None:
    """The sum of the evidence is that of all but one value."""
    model = MODELS["eastron-sdm630"]

    def fit(value: float) -> ModelMatch:
        values = {"voltage_a_v": 231.0, "current_b_a": 5.0, "power_kw": 3.4, quantity: value}
        replies = []
        for read in plan(model):
            words = {
                row.address + n: word
                for row in model.point
                for n, word in enumerate(
                    struct.unpack(">HH", struct.pack(">f", values.get(row.quantity, 0.0)))
                )
            }
            span = range(read.address, read.address + read.count)
            held = [words.get(at, 0) for at in span]
            replies.append((read, struct.pack(f">{len(held)}H", *held)))
        return model_match.match_values(model, replies)

    assert fit(shown).mismatch is None
    assert fit(shown).evidence_bits == fit(0.0).evidence_bits > 8


def test_a_value_that_noise_would_show_as_well_is_little_evidence() -> None:
    """231.7 V as u16 x 0.1 is one of 15 words, as a float one of some 70."""
    words = _bits("acrel-dtsd1352", struct.pack(">23H", 2317, 2317, 2317, *[0] * 19, 5000), 1)
    assert words["voltage_a_v"] == pytest.approx(math.log2(65536 / 4351), abs=0.6)
    floats = _bits("eastron-sdm630", struct.pack(">f", 231.7), 0)
    assert floats["voltage_a_v"] > words["voltage_a_v"] + 1


def _bits(model: str, data: bytes, nth: int) -> dict[str, float]:
    read = plan(MODELS[model])[nth]
    fit = model_match.match_values(
        MODELS[model], [(read, data[: 2 * read.count].ljust(2 * read.count, b"\0"))]
    )
    assert fit.mismatch is None, fit.mismatch
    return {one.quantity: one.evidence_bits for one in fit.values}


def test_fits_that_are_told_apart_by_little_are_named_together() -> None:
    def fit(name: str, bits: float) -> ModelMatch:
        return ModelMatch(name, (model_match.DecodedValue("energy_kwh", 1.0, bits),))

    good, alike = model_match.rank([fit("c", 9.0), fit("a", 20.0), fit("b", 18.0)])
    assert [one.model for one in good] == ["a", "b", "c"]
    assert [one.model for one in alike] == ["a", "b"]


# --- what its registers hold --------------------------------------------------------------------


class Strict:
    """A device that has these registers, gives at most `most` at once, and refuses all others."""

    def __init__(self, has: set[int], most: int, function: int = 3) -> None:
        self.has, self.most, self.function = has, most, function

    def __call__(self, question: Question) -> Iterator[Act]:
        span = range(question.address, question.address + question.count)
        if question.function != self.function:
            yield question.refusal(1)
        elif question.count > self.most:
            yield question.refusal(3)
        elif not set(span) <= self.has:
            yield question.refusal(2)
        else:
            plain = question.reply()
            held = struct.pack(f">{len(span)}H", *span)
            yield plain[: -len(held)] + held


async def test_blocks_are_halved_until_only_what_is_there_is_read() -> None:
    has = {3, 4, *range(20, 29), 63, 64, 99}
    async with misbehaving(Strict(has, 8)) as server, probing(server.port) as bus_probe:
        held = await bus_probe.read_registers(1, search_ranges.by_both_functions(range(100)), quiet)
    assert held == {(3, place): struct.pack(">H", place) for place in has}


async def test_a_device_without_a_function_is_asked_once_with_it() -> None:
    behave = Strict(set(range(200)), 125, function=4)
    async with misbehaving(behave) as server, probing(server.port) as bus_probe:
        held = await bus_probe.read_registers(1, search_ranges.by_both_functions(range(200)), quiet)
        assert sum(question.function == 3 for question in server.questions) == 1
    assert len(held) == 200


async def test_a_device_that_falls_silent_is_given_up() -> None:
    def behave(question: Question) -> Iterator[Act]:
        return iter(())

    async with misbehaving(behave) as server, probing(server.port, timeout_s=0.02) as bus_probe:
        assert (
            await bus_probe.read_registers(1, search_ranges.by_both_functions(range(1000)), quiet)
            == {}
        )
        assert len(server.questions) <= 30


async def test_a_busy_device_is_asked_once_more() -> None:
    def behave(question: Question) -> Iterator[Act]:
        yield question.refusal(6) if question.nth == 1 else question.reply(7)

    async with misbehaving(behave) as server, probing(server.port) as bus_probe:
        data = await bus_probe.request(1, ModbusRead(3, 0, 1, (), lambda _: ()))
    assert data == b"\x00\x07"
