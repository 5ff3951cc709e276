"""Impossible values in a model are reported with their place and their correction."""

from fractions import Fraction

import pytest

from jieneng import config_file
from jieneng.metering.catalog import model_check
from jieneng.metering.catalog.modbus_points import ModbusModel

HEAD = """[model]
id = "m"
name = "m"
medium = "electricity"
source = "made for a test"
confidence = "manual"
max_registers = 20
"""
COUNTER = """
[[point]]
quantity = "energy_kwh"
function = 3
address = 0x0000
type = "u32"
"""


def parsed(text: str) -> tuple[ModbusModel, list[str]]:
    document = config_file.parse(text, "m.toml")
    model = config_file.decode(document, ModbusModel)
    return model, [str(document.locate(problem)) for problem in model_check.check(model)]


def test_a_right_model_has_no_problem() -> None:
    model, problems = parsed(
        HEAD
        + COUNTER
        + """fraction = {address = 0x0002, type = "f32", order = "CDAB"}
exponent = {address = 0x0004, type = "i16"}

[[point]]
quantity = "fault_flag"
function = 2
address = 7
every = 6

[[identity]]
label = "serial number"
function = 3
address = 0x0100
type = "str16"
order = "BA"

[[forbidden]]
function = 3
from = 0x0010
to = 0x001F
why = "the meter restarts"

[[vector]]
function = 2
address = 7
words = "01"
gives = {fault_flag = 1}
note = "by hand"
"""
    )
    assert problems == []
    counter, flag = model.point
    assert (counter.first, counter.end, flag.first, flag.end) == (0, 5, 7, 8)
    assert model.identity[0].words == 8
    assert model.forbids(3, 0x0F, 0x11) is model.forbidden[0]
    assert model.forbids(3, 0x20, 0x21) is model.forbids(4, 0x10, 0x11) is None


@pytest.mark.parametrize(
    ("more", "step"),
    [
        ("scale = 0.01", 0.4),
        ('scale = 10\nunit = "Wh"', 0.4),
        ('fraction = {address = 2, type = "u16", scale = 0.001}', 0.04),
        ('fraction = {address = 2, type = "f32"}', 40 * 2.0**-23),
        ('fraction = {address = 2, type = "u16", scale = 65536}', 40.0),
        ('fraction = {address = 2, type = "u16", scale = -1000}', 40.0),
        ('fraction = {address = 2, type = "f32", scale = 1000}', 40.0),
        ('fraction = {address = 2, type = "f32", scale = 0.1}', 40 * 2.0**-23),
        ('exponent = {address = 2, type = "i16"}', 0.0),
    ],
)
def test_the_smallest_step_is_that_of_the_finest_register_behind_its_ratio(
    more: str, step: float
) -> None:
    """CT 40; 0 where nobody knows it."""
    model, problems = parsed(HEAD + COUNTER + 'ratio = ["ct"]\n' + more)
    assert problems == []
    assert model.point[0].step(ct=Fraction(40)) == step


@pytest.mark.parametrize(
    ("kind", "value", "step"),
    [
        ("f32", 131_073.0, 2.0**-6),
        ("f32", -131_073.0, 2.0**-6),
        ("f64", 131_073.0, 2.0**-35),
        ("f16", 1025.0, 1.0),
        ("u32", 131_073.0, 1.0),
    ],
)
def test_a_floats_step_grows_with_its_value(kind: str, value: float, step: float) -> None:
    """A step more than a float is: at 131,072 kWh one of 32 bits goes by 0.0156."""
    model, _ = parsed(HEAD + COUNTER.replace("u32", kind))
    assert model.point[0].step_at(value) == pytest.approx(step, rel=0.001)
    assert model.point[0].step() == (0.0 if kind.startswith("f") else 1.0)


@pytest.mark.parametrize(
    ("kind", "fraction", "step"),
    [
        ("f32", 'type = "u16", scale = 1000', 1000 * 2.0**-23),
        ("f32", 'type = "u32", scale = 0.001', 0.001),
        ("f64", 'type = "f32"', 2.0**-23),
        ("f32", 'type = "f32", scale = 1000', 1000 * 2.0**-23),
        ("f32", 'type = "u16"', 2.0**-23),
    ],
)
def test_a_float_beside_a_fraction_has_the_steps_of_the_finer_register_at_every_value(
    kind: str, fraction: str, step: float
) -> None:
    """The coarser register holds whole units, the finer one less than one of them."""
    counter = COUNTER.replace("u32", kind)
    model, problems = parsed(HEAD + counter + f"fraction = {{address = 9, {fraction}}}")
    assert problems == []
    row = model.point[0]
    assert row.float_step == 0
    assert row.step_at(5e6) == row.step_at(0) == pytest.approx(step)


FLAG = '[[point]]\nquantity = "fault_flag"\nfunction = {function}\naddress = 5\n'


@pytest.mark.parametrize(
    ("more", "line", "says"),
    [
        ('fraction = {address = 2, type = "f23"}', 14, "f23 is not a register type"),
        ('exponent = {address = 2, type = "i16", order = "ABCD"}', 14, "order of a i16. Use one"),
        ('fraction = {address = 30, type = "u16"}', 12, "does not fit in one request"),
        ("bits = [4, 40]", 14, "a u32 has no bits 4 to 40"),
        ("bits = [4, 3]", 14, "write the lower bit first"),
        ("unknown = 0x1FFFFFFFF", 14, "can't hold 0x1FFFFFFFF"),
        ("bits = [0, 3]\nunknown = 0xF", 15, "without bits"),
        ("every = 2", 14, "must be in every poll"),
        ('unit = "V"', 14, "V is not a unit of energy_kwh"),
        (FLAG.format(function=3), 16, "function 3 can't read a bit"),
        (FLAG.format(function=1) + 'type = "u16"', 16, "function 1 can't read a u16"),
        (FLAG.format(function=1) + "scale = 0.1", 14, "no key but its address"),
        ('[[forbidden]]\nfunction = 3\nfrom = 1\nto = 1\nwhy = "x"', 12, "addresses 1 to 1"),
        ('[[identity]]\nlabel = "x"\nfunction = 3\naddress = 1\ntype = "st"', 18, "st is not a"),
        (
            '[[identity]]\nlabel = "x"\nfunction = 3\naddress = 1\ntype = "str4"\norder = "ABCD"',
            19,
            "Use one of: AB, BA",
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_line_and_mend(more: str, line: int, says: str) -> None:
    [problem] = parsed(HEAD + COUNTER + more)[1]
    assert problem.startswith(f"m.toml:{line}: ")
    assert says in problem


@pytest.mark.parametrize("scale", ["0", "0.0", "1e300", "1e-400", "-1e19"])
@pytest.mark.parametrize(
    "where", ["scale = {}", "fraction = {{address = 2, type = 'u16', scale = {}}}"]
)
def test_a_scale_that_invents_a_reading_is_refused(where: str, scale: str) -> None:
    """0 reads 0.0 for ever. One past every float, which ended the decoder, is no number at all."""
    [problem] = parsed(HEAD + COUNTER + where.format(scale))[1]
    assert problem.startswith("m.toml:14: ")
    assert "no register gives a reading" in problem


@pytest.mark.parametrize("scale", ["-0.01", "1e18", "1e-18", "1000"])
def test_a_scale_that_a_meter_may_have_is_taken(scale: str) -> None:
    assert parsed(f"{HEAD}{COUNTER}scale = {scale}")[1] == []


@pytest.mark.parametrize("half", ["u8h", "u8l"])
def test_bits_that_half_a_register_has_not_are_refused(half: str) -> None:
    """Bits above the eighth were always 0."""
    counter = COUNTER.replace("u32", half)
    [problem] = parsed(f"{HEAD}{counter}bits = [8, 15]")[1]
    assert f"a {half} has no bits 8 to 15" in problem
    assert parsed(f"{HEAD}{counter}bits = [4, 7]")[1] == []


def test_more_paces_than_plans_can_be_made_for_are_refused() -> None:
    names = ("power_a_kw", "power_b_kw", "power_c_kw", "power_kw", "frequency_hz")
    points = [
        f'[[point]]\nquantity = "{name}"\nfunction = 3\naddress = 4\ntype = "f32"\nevery = {n}\n'
        for n, name in enumerate(names, 2)
    ]
    [problem] = parsed(HEAD + COUNTER + "".join(points))[1]
    assert "more than 5 different values of the key every" in problem


def test_parts_on_both_sides_of_a_wall_are_refused() -> None:
    wall = '\n[[forbidden]]\nfunction = 3\nfrom = 2\nto = 3\nwhy = "x"\n'
    [problem] = parsed(HEAD + COUNTER + 'exponent = {address = 4, type = "i16"}' + wall)[1]
    assert "in or across the forbidden addresses 2 to 3" in problem
