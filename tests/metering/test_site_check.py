"""Mistakes of a site are reported all at once, each with its place and how to correct it."""

import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from jieneng import config_file
from jieneng.config_file import Document
from jieneng.metering import site_check
from jieneng.metering.catalog.model_check import MAX_CADENCES
from jieneng.metering.errors import ConfigError, KeyPath
from jieneng.metering.site import Site
from jieneng.metering.site_rules import site_warnings
from jieneng.metering.site_rules.nameplate_check import nameplate_problems
from jieneng.site_folder import SiteFolder, examine, load, packaged_models

SITE = """[site]
id = "s"
name = "s"

[[institution]]
id = "bureau"
name = "bureau"

[[area]]
id = "house"
name = "house"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 100.0}]

[[bus]]
id = "bus"
agent = "agent"
host = "192.0.2.1"

[[meter]]
id = "e-1"
name = "e-1"
medium = "electricity"
model = "acrel-dtsd1352"
bus = "bus"
unit = 1
area = "house"
"""

METER = """
[[meter]]
id = "e-2"
name = "e-2"
medium = "electricity"
area = "house"
"""


TWICE = "{from = 2020-01-01, value = 1.0}, {from = 2020-01-01, value = 2.0}"
NO_CT = "ct = [{from = 2020-01-01, value = 0.0}]"
DAYS = (
    "ct = [{from = 0001-01-01, value = 40.0}]",
    "pt = [{from = 2020-01-01, value = 1.0}, {from = 9999-12-31, value = 2.0}]",
    "installed = 0001-01-01",
    "replaced = [{at = 0001-01-01T00:00:00+08:00, final = 1.0}]",
)
ENDLESS = "ct = [{from = 2020-01-01, value = 1e400}]"
NO_OFFSET = "replaced = [{at = 2022-05-10T09:30:00, final = 1.0}]"


def found(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "site.toml").write_text(text)
    try:
        load(tmp_path)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def warned(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "site.toml").write_text(text)
    return [str(warning) for warning in examine(tmp_path).warnings]


def test_the_example_centre_is_right_and_about_what_it_says(example: SiteFolder) -> None:
    assert len(example.site.meter) == 30
    assert {meter.medium for meter in example.site.meter} == {"electricity", "water", "gas"}
    assert len({meter.model for meter in example.site.meter}) >= 4
    assert {bus.link for bus in example.site.bus} == {"tcp", "rtu_tcp"}
    assert [meter.id for meter in example.site.meter if meter.replaced] == ["e-b3"]


def test_a_right_site_has_no_problem(tmp_path: Path) -> None:
    assert found(tmp_path, SITE + METER) == []


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ('area = "house"', 'area = "hous"', 27, "Did you mean house?"),
        ('bus = "bus"', 'bus = "boss"', 25, "boss is not defined"),
        ('model = "acrel-dtsd1352"', 'model = "acrel-1352"', 24, "Did you mean acrel-d"),
        ('institutions = ["bureau"]', 'institutions = ["bur"]', 12, "bur is not defined"),
        ('host = "192.0.2.1"', "", 15, "needs host"),
        ('medium = "electricity"', 'medium = "water"', 23, "is for electricity"),
        ("{from = 2020-01-01, value = 100.0}", TWICE, 13, "two values would apply"),
        ('name = "s"', 'name = "s"\ntimezone = "Asia/Huaian"', 4, "is not a time zone"),
        ('name = "s"', 'name = "s"\ntimezone = "Asia"', 4, "is not a time zone"),
        ('name = "s"', f'name = "s"\ntimezone = "{300 * "x"}"', 4, "is not a time zone"),
        ("unit = 1", "unit = 1\n" + NO_CT, 27, "would make its energy 0"),
        ("unit = 1", "unit = 1\n" + DAYS[0], 27, "ct: 0001-01-01 is not a day from 1900 to 2199"),
        ("unit = 1", "unit = 1\n" + DAYS[1], 27, "pt: 9999-12-31 is not a day from 1900 to 2199"),
        ("unit = 1", "unit = 1\n" + DAYS[2], 27, "installed: 0001-01-01 is not a day"),
        ("unit = 1", "unit = 1\n" + DAYS[3], 27, "replaced: 0001-01-01 is not a day"),
        ("from = 2020-01-01", "from = 0999-01-01", 13, "floor_area_m2: 0999-01-01 is not a day"),
        ("unit = 1", "unit = 1\n" + ENDLESS, 27, "value can't be 1E+400"),
        ("unit = 1", 'unit = 1\nparent = "e-1"', 27, "form a circle: e-1 > e-1"),
        ("unit = 1", "unit = 1\n" + NO_OFFSET, 27, "no offset from UTC"),
        ("unit = 1", "unit = 1\nevery = {voltage_a = 6}", 27, "Did you mean voltage_a_v?"),
        ("unit = 1", "unit = 1\nevery = {energy_kwh = 6}", 27, "must be in every poll"),
        ("unit = 1", "unit = 1\nevery = {voltage_a_v = 0}", 27, "at least 1"),
        ('host = "192.0.2.1"', 'host = "not an address"', 18, 'host = "192.0.2.11"'),
        ('host = "192.0.2.1"', 'host = "192.0.2.1:502"', 18, "without port"),
        ("unit = 1", 'unit = 1\nitem = "havc"', 27, 'item can\'t be "havc". Did you mean "hvac"?'),
        ("unit = 1", 'unit = "1"', 26, 'unit can\'t be "1". Write a whole number from 0 to 255'),
        ("[[area]]", "[area]", 9, "Write [[area]], in double brackets"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_line_and_mend(
    tmp_path: Path, before: str, after: str, line: int, says: str
) -> None:
    assert before in SITE
    [problem] = found(tmp_path, SITE.replace(before, after, 1))
    assert problem.startswith(f"site.toml:{line}: ")
    assert says in problem


def every(paces: int) -> str:
    """A meter's `every` that makes as many different paces, that of the counter among them."""
    names = ["voltage_a_v", "voltage_b_v", "voltage_c_v", "current_a_a", "current_b_a"]
    rows = ", ".join(f"{name} = {n}" for n, name in enumerate(names[: paces - 1], 2))
    return SITE.replace("unit = 1", f"unit = 1\nevery = {{{rows}}}")


def test_a_meter_has_no_more_paces_than_a_model_may_have(tmp_path: Path) -> None:
    assert found(tmp_path, every(MAX_CADENCES)) == []
    [problem] = found(tmp_path, every(MAX_CADENCES + 1))
    assert problem.startswith("site.toml:27: ")
    assert "meter e-1 and its model together have more than 5 different values of every" in problem


def test_paces_of_the_model_count_where_the_meter_leaves_them(tmp_path: Path) -> None:
    head = '[model]\nid = "own"\nname = "own"\nmedium = "electricity"\nsource = "own manual"\n'
    names = ["energy_kwh", "power_kw", "voltage_a_v", "voltage_b_v", "voltage_c_v", "current_a_a"]
    points = (
        f'[[point]]\nquantity = "{name}"\nfunction = 3\naddress = 4\ntype = "f32"\nevery = {n}\n'
        for name, n in zip(names, (1, 2, 3, 4, 5, 5), strict=True)
    )
    (tmp_path / "own.toml").write_text(head + 'confidence = "manual"\n' + "".join(points))
    for row, said in (("current_a_a = 7", 1), ("power_kw = 7", 0), ("current_a_a = 4", 0)):
        text = SITE.replace("acrel-dtsd1352", "own")
        text = text.replace("unit = 1", f"unit = 1\nevery = {{{row}}}")
        assert len(found(tmp_path, text)) == said, row


def test_two_meters_on_one_unit_are_told(tmp_path: Path) -> None:
    twin = METER + 'bus = "bus"\nunit = 1\nmodel = "acrel-dtsd1352"\n'
    [problem] = found(tmp_path, SITE + twin)
    assert "e-1 and e-2 both have unit 1 on bus bus" in problem


RTU = ('host = "192.0.2.1"', 'link = "rtu"\ndevice = "/dev/ttyS1"')
RTU_TCP = ('host = "192.0.2.1"', 'host = "192.0.2.1"\nlink = "rtu_tcp"')


@pytest.mark.parametrize(("before", "after"), [RTU, RTU_TCP])
def test_unit_0_of_a_serial_line_answers_nobody(tmp_path: Path, before: str, after: str) -> None:
    """MODBUS over Serial Line V1.02, section 2.2: 0 is the broadcast address."""
    [problem] = found(tmp_path, SITE.replace(before, after).replace("unit = 1", "unit = 0"))
    assert problem.startswith("site.toml:27: meter e-1 can't be unit 0 on bus bus")
    assert "broadcast" in problem


@pytest.mark.parametrize("unit", [0, 255])
def test_over_modbus_tcp_units_0_and_255_are_the_device_itself(tmp_path: Path, unit: int) -> None:
    assert found(tmp_path, SITE.replace("unit = 1", f"unit = {unit}")) == []


@pytest.mark.parametrize("unit", [247, 248, 255])
def test_a_reserved_unit_is_left_to_the_meter_that_has_it(tmp_path: Path, unit: int) -> None:
    """A Peacefair PZEM answers at 248 whatever its address is: its "general address"."""
    assert found(tmp_path, SITE.replace(*RTU).replace("unit = 1", f"unit = {unit}")) == []


def test_a_circle_of_parents_is_told_once_and_with_its_way(tmp_path: Path) -> None:
    text = SITE.replace("unit = 1", 'unit = 1\nparent = "e-2"') + METER + 'parent = "e-1"\n'
    [problem] = found(tmp_path, text)
    assert "e-1 > e-2 > e-1" in problem


def test_an_id_that_stands_twice_is_told(tmp_path: Path) -> None:
    [problem] = found(tmp_path, SITE + METER.replace("e-2", "e-1"))
    assert "the id e-1 occurs more than once" in problem


@pytest.mark.parametrize("place", ["own.toml", "models/own.toml"])
def test_a_model_may_lie_beside_the_site_or_in_its_models(tmp_path: Path, place: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / place).write_text(
        '[model]\nid = "own"\nname = "own"\nmedium = "electricity"\nsource = "own manual"\n'
        'confidence = "manual"\n[[point]]\nquantity = "energy_kwh"\nfunction = 3\naddress = 0\n'
        'type = "u32"\n'
    )
    assert found(tmp_path, SITE.replace("acrel-dtsd1352", "own")) == []


def test_problems_of_the_site_and_of_a_model_beside_it_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.toml").write_text(
        '[model]\nid = "own"\nname = "own"\nmedium = "water"\nsource = "own manual"\n'
        'confidence = "manual"\n[[point]]\nquantity = "energy_kwh"\nfunction = 3\naddress = 0\n'
        'type = "u32"\n'
    )
    problems = found(tmp_path, SITE.replace('area = "house"', 'aera = "house"'))
    assert any("Did you mean area?" in problem for problem in problems)
    assert any("energy_kwh is not a quantity of water" in problem for problem in problems)
    assert any("no point for volume_m3" in problem for problem in problems)


def test_mistakes_of_form_and_broken_rules_are_told_together(tmp_path: Path) -> None:
    text = SITE.replace("unit = 1", 'unit = "one"').replace('bus = "bus"', 'bus = "bsu"')
    text = text.replace('host = "192.0.2.1"', "") + METER.replace('"house"', '"hous"')
    said = "\n".join(found(tmp_path, text))
    for part in (
        "unit can't be",
        "bus = bsu, but bsu is not defined",
        "needs host",
        "area = hous, but",
    ):
        assert part in said
    assert said.count("\n") == 3


def test_a_misspelt_id_is_told_once_with_all_that_name_it(tmp_path: Path) -> None:
    rest = 'bus = "bsu"\nmodel = "acrel-dtsd1352"\nunit = 2\n'
    text = SITE.replace('bus = "bus"', 'bus = "bsu"') + METER + rest
    [problem] = found(tmp_path, text)
    assert problem.startswith(
        "site.toml:25: bus = bsu, but bsu is not defined; rows with this reference: e-1, e-2."
    )
    assert "Did you mean bus?" in problem


WATER = METER.replace("electricity", "water").replace("e-2", "w-1") + 'bus = "bus"\nunit = 2\n'
CT = "ct = [{from = 2020-01-01, value = 80.0}]\n"
TUF = 'model = "tuf-2000m-water"\n'
OWN_CT = (
    '[model]\nid = "own"\nname = "own"\nmedium = "water"\nsource = "own manual"\n'
    'confidence = "manual"\n[[point]]\nquantity = "volume_m3"\nfunction = 3\naddress = 0\n'
    'type = "u32"\nratio = ["ct"]\n'
)


def test_a_ratio_that_no_point_of_the_model_is_multiplied_by_is_told(tmp_path: Path) -> None:
    [problem] = found(tmp_path, SITE + WATER + TUF + CT)
    assert problem.startswith("site.toml:37: meter w-1 has ct, but none of its values")
    assert found(tmp_path, SITE + WATER + TUF + CT.replace("80.0", "1.0")) == []
    assert found(tmp_path, SITE.replace("unit = 1", "unit = 1\n" + CT)) == []
    assert found(tmp_path, SITE + METER + CT) == [], "by hand, its values were multiplied"


def test_a_ratio_of_any_device_of_the_meter_is_none_too_many(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN_CT)
    another = 'replaced = [{at = 2022-05-10T09:30:00+08:00, final = 1.0, model = "own"}]\n'
    assert found(tmp_path, SITE + WATER + TUF + CT + another) == []


@pytest.mark.parametrize("place", ["own.toml", "models/own.toml"])
@pytest.mark.parametrize(
    "broken",
    ['[model]\nid = "own"\nnam = 1\n', '[model]\nid = "own\n', '[model]\nid = ["own"]\n'],
    ids=["form", "no TOML", "no id"],
)
def test_a_broken_model_is_told_and_not_the_meters_that_name_it(
    tmp_path: Path, place: str, broken: str
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / place).write_text(broken)
    said = found(tmp_path, SITE.replace("acrel-dtsd1352", "own"))
    assert said
    assert all(problem.startswith(f"{Path(place).name}:") for problem in said), said


def test_a_broken_model_in_place_of_a_packaged_one_is_not_judged_by_that(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[model]\nid = "acrel-dtsd1352"\nmedium = "water"\n')
    said = found(tmp_path, SITE.replace('medium = "electricity"', 'medium = "water"'))
    assert said
    assert all(problem.startswith("own.toml:") for problem in said), said


EXAMPLE_TEXT = (resources.files("jieneng") / "sites" / "example" / "site.toml").read_text("utf-8")
EXAMPLE_DATA = tomllib.loads(EXAMPLE_TEXT)


def places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every key and every row of a document; of its meters, of a few only."""
    for key, row in value.items() if isinstance(value, dict) else enumerate(value):
        if path == ("meter",) and key not in (0, 1, 11, 13, 24, 29):
            continue
        yield (*path, key)
        if isinstance(row, dict | list):
            yield from places(row, (*path, key))


def changed(path: KeyPath, change: Callable[[Any, str | int], None]) -> Document:
    """Return the example with one key or row changed."""
    data = deepcopy(EXAMPLE_DATA)
    table: Any = data
    for part in path[:-1]:
        table = table[part]
    change(table, path[-1])
    return Document("site.toml", data, {})


def replace_value(table: Any, key: str | int) -> None:
    table[key] = {"no such": "value"} if isinstance(key, str) else "no row"


def misspell_key(table: Any, key: str | int) -> None:
    if isinstance(key, str):
        table[f"{key}x"] = table.pop(key)


@pytest.mark.parametrize("change", [replace_value, misspell_key])
def test_what_cannot_be_read_is_told_where_it_stands_and_nowhere_else(
    change: Callable[[Any, str | int], None],
) -> None:
    models = packaged_models()
    for path in places(EXAMPLE_DATA):
        draft = config_file.decode_draft(changed(path, change), Site)
        assert draft.problems or (change is misspell_key and isinstance(path[-1], int)), path
        assert site_check.check(draft.settings, models, draft.unread) == [], path
        assert site_warnings.warnings(draft.settings, draft.unread) == [], path
        if path[-1] != "rated_max":
            assert list(nameplate_problems(draft.settings, draft.unread)) == [], path


def test_what_is_left_out_never_stops_the_other_rules() -> None:
    models = packaged_models()
    for path in places(EXAMPLE_DATA):
        draft = config_file.decode_draft(changed(path, lambda table, key: table.pop(key)), Site)
        if draft.problems:  # the key must be there
            assert site_check.check(draft.settings, models, draft.unread) == [], path


# --- warnings -----------------------------------------------------------------------------------


def test_the_example_has_nothing_to_warn_of(tmp_path: Path) -> None:
    assert warned(tmp_path, EXAMPLE_TEXT) == []


def test_a_site_without_any_floor_area_is_warned_of(tmp_path: Path) -> None:
    [warning] = warned(tmp_path, SITE.replace("floor_area_m2 = [{from = 2020-01-01, value", "#"))
    assert warning.startswith("site.toml:9: no area has a floor area")


def test_meters_of_one_name_are_warned_of_once(tmp_path: Path) -> None:
    text = SITE + METER.replace('name = "e-2"', 'name = "e-1"')
    [warning] = warned(tmp_path, text)
    assert warning.startswith("site.toml:22: meters e-1, e-2 are all named e-1.")
    assert found(tmp_path, text) == []


HOUSES = """
[[area]]
id = "{0}"
name = "{0}"
kind = "{1}"
{2}
[[meter]]
id = "e-{0}"
name = "e-{0}"
medium = "electricity"
area = "{0}"
"""


@pytest.mark.parametrize(
    ("kind", "above", "said"),
    [
        ("office", "", 1),
        ("plant", "", 0),
        ("office", 'parent = "house"', 0),
    ],
    ids=["another building", "a plant room", "a floor of the same building"],
)
def test_a_parent_in_another_building_is_warned_of(
    tmp_path: Path, kind: str, above: str, said: int
) -> None:
    text = SITE.replace("unit = 1", 'unit = 1\nparent = "e-far"') + HOUSES.format(
        "far", kind, above
    )
    warnings = warned(tmp_path, text)
    assert len(warnings) == said
    for warning in warnings:
        assert warning.startswith("site.toml:27: meter e-1 is in house, but its parent e-far")


def test_buildings_of_a_centre_are_the_areas_below_it(tmp_path: Path) -> None:
    centre = '[[area]]\nid = "centre"\nname = "centre"\n'
    text = SITE.replace('id = "house"', 'id = "house"\nparent = "centre"')
    text = text.replace("unit = 1", 'unit = 1\nparent = "e-far"') + centre
    assert warned(tmp_path, text + HOUSES.format("far", "office", 'parent = "house"')) == []
    assert len(warned(tmp_path, text + HOUSES.format("far", "office", 'parent = "centre"'))) == 1


CONFIRMED = """
[[confirmed]]
meter = "e-1"
finding = "counter_reset"
at = 2025-03-02
by = "Zhang San"
reason = "nothing flowed"
"""


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ('meter = "e-1"', 'meter = "e-11"', 30, "e-11 is not defined. Did you mean e-1?"),
        ("counter_reset", "counter_rest", 31, "Did you mean counter_reset?"),
        ("counter_reset", "odd", 31, "odd is not the code of a finding. Write the code"),
        ("2025-03-02", "2025-03-02\nuntil = 2025-03-01", 33, "ends on 2025-03-01, before it"),
        ("2025-03-02", "0025-03-02", 32, "at: 0025-03-02 is not a day from 1900 to 2199"),
        ("2025-03-02", '"May"', 32, "at can't be"),
        ('by = "Zhang San"\n', "", 29, "by"),
    ],
)  # fmt: skip
def test_a_confirmation_of_nothing_is_told(
    tmp_path: Path, before: str, after: str, line: int, says: str
) -> None:
    assert found(tmp_path, SITE + CONFIRMED) == []
    [problem] = found(tmp_path, SITE + CONFIRMED.replace(before, after))
    assert problem.startswith(f"site.toml:{line}: ")
    assert says in problem


# --- meters without a nameplate -----------------------------------------------------------------


def omitted(tmp_path: Path, more: str) -> list[str]:
    (tmp_path / "site.toml").write_text(SITE + more)
    return [str(omission) for omission in examine(tmp_path).omissions]


def test_a_meter_without_its_nameplate_is_told_and_nothing_refuses_to_run(tmp_path: Path) -> None:
    [omission] = omitted(tmp_path, "")
    assert omission.startswith("site.toml:20: meter e-1 has no rated_max")
    assert "rated_max = 400.0" in omission
    assert load(tmp_path).site.meters["e-1"].rated_max is None


def test_a_reason_acknowledges_it(tmp_path: Path) -> None:
    assert omitted(tmp_path, 'rated_max_unknown = "behind the wall"') == []
    assert omitted(tmp_path, "rated_max = 40.0") == []


def test_a_reason_beside_a_nameplate_is_told(tmp_path: Path) -> None:
    [omission] = omitted(tmp_path, 'rated_max = 40.0\nrated_max_unknown = "behind the wall"')
    assert omission.startswith("site.toml:29: meter e-1 has both rated_max and rated_max_unknown")


@pytest.mark.parametrize("why", ['""', '"  "', "true"])
def test_a_reason_has_words(tmp_path: Path, why: str) -> None:
    [problem] = found(tmp_path, f"{SITE}rated_max_unknown = {why}")
    assert problem.startswith("site.toml:28: rated_max_unknown can't be")
    assert "Write in quotes why" in problem


# --- counted twice ------------------------------------------------------------------------------

SUB = """
[[meter]]
id = "{id}"
name = "{id}"
medium = "{medium}"
area = "{area}"
{more}
"""
FLOOR = '\n[[area]]\nid = "floor"\nname = "floor"\nparent = "house"\n{0}\n'


def sub(more: str = "", area: str = "house", medium: str = "electricity", id_: str = "e-2") -> str:
    return SUB.format(id=id_, medium=medium, area=area, more=more)


@pytest.mark.parametrize("area", ["house", "floor"])
def test_a_sub_item_without_a_parent_beside_a_main_is_warned_of(tmp_path: Path, area: str) -> None:
    """4,000 of the main's 10,000 kWh counted twice, and no problem was found."""
    text = SITE + FLOOR.format("") + sub('item = "lighting"', area)
    [warning] = warned(tmp_path, text)
    assert warning.startswith("site.toml:35: meter e-2 measures a sub-item and has no parent")
    assert 'write parent = "e-1"' in warning
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    "beside",
    [
        sub('item = "lighting"\nparent = "e-1"'),
        sub('item = "lighting"', medium="water", id_="w-2"),
        sub(),  # a second supply
        sub('item = "lighting"', "far"),
        sub("", "far"),
    ],
    ids=["with a parent", "of another medium", "a main", "elsewhere", "a main elsewhere"],
)
def test_a_meter_that_measures_something_else_is_not(tmp_path: Path, beside: str) -> None:
    far = '\n[[area]]\nid = "far"\nname = "far"\n'
    assert warned(tmp_path, SITE + far + beside) == []


def test_sub_items_of_an_area_without_a_main_are_not(tmp_path: Path) -> None:
    text = SITE.replace("unit = 1", 'unit = 1\nitem = "hvac"')
    assert warned(tmp_path, text + sub('item = "lighting"')) == []


def test_a_main_of_a_part_of_an_area_that_has_its_own_is_warned_of(tmp_path: Path) -> None:
    [warning] = warned(tmp_path, SITE + FLOOR.format("") + sub("", "floor"))
    assert "meter e-2 in floor and meter e-1 in house have no parent, and floor" in warning


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        ("floor_area_m2 = [{from = 2020-01-01, value = 101.0}]", "is 100 on 2020-01-01, but"),
        ("floor_area_m2 = [{from = 2023-01-01, value = 101.0}]", "is 100 on 2023-01-01, but"),
        ("floor_area_m2 = [{from = 2019-01-01, value = 100.0}]", ""),
        ("headcount = [{from = 2019-01-01, value = 100.0}]", ""),
    ],
)
def test_an_area_smaller_than_its_parts_is_warned_of(tmp_path: Path, floor: str, said: str) -> None:
    warnings = warned(tmp_path, SITE + FLOOR.format(floor))
    assert len(warnings) == (said != "")
    assert all(said in warning and "its parts floor is 101" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        ("digits = 5", []),
        ("modulus = 99999.9", []),
        ('resets = "daily"', []),
        ("digits = 5\nmodulus = 100000.0", ["meter e-2 has both digits and modulus"]),
        ("digits = 2", ["digits"]),
        ("modulus = 0.0", ["modulus"]),
        ('resets = "weekly"', ["resets"]),
    ],
)
def test_the_range_of_a_register_is_stated_once(
    tmp_path: Path, keys: str, problems: list[str]
) -> None:
    told = found(tmp_path, SITE + METER + keys)
    assert len(told) == len(problems)
    assert all(part in problem for part, problem in zip(problems, told, strict=True))


def test_the_range_of_a_register_that_its_model_states_is_not_stated_again(tmp_path: Path) -> None:
    live = SITE.replace("acrel-dtsd1352", "acrel-adw300")
    assert found(tmp_path, live) == []
    [problem] = found(tmp_path, f"{live}digits = 6")
    assert "e-1 has digits, but its model acrel-adw300 already states the value" in problem
