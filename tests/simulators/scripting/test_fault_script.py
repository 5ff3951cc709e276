"""A fault script: mistakes are reported with line and fix, and random faults are repeatable."""

from datetime import UTC, datetime

import msgspec
import pytest

from jieneng import config_file
from jieneng.metering.errors import ConfigError, UsageError
from simulators.faults import KINDS, FaultsFile
from simulators.faults.fault import Fault
from simulators.faults.flow_faults import Leak
from simulators.scripting.fault_script import FaultScript
from tests.simulators.scene import BEGIN_MS, simulated


def _place(text: str, link: str = "tcp") -> FaultScript:
    script = FaultScript(simulated(link), 1, BEGIN_MS)
    script.place(config_file.decode(config_file.parse(text, "faults.toml"), FaultsFile).fault)
    return script


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "no_answr"', 'kind can\'t be "no_answr". Did you mean "no_answer"?'),
        ('kind = "no_answer"\nmetr = "e-1"', "unknown key metr. Did you mean meter?"),
        ('kind = "slow_answer"', "delay_s is missing. Add the key here, for example: delay_s = 1"),
        ('kind = "no_answer"\nprobability = 1.5', "probability can't be 1.5"),
        (
            'kind = "no_answer"\nmeter = "e-9"',
            "meter = e-9, but e-9 is not defined. Known are: e-1,",
        ),
        ('kind = "no_answer"\nbus = "bus-c"', "bus = bus-c, but bus-c is not defined"),
        ('kind = "no_answer"\nmeter = "e-1"\narea = "a"', "one target, not meter + area"),
        ('kind = "stuck"\nprobability = 0.5', "while probability is drawn for each answer"),
        ('kind = "replacement"\nduration_s = 5', "replacement does not end"),
        ('kind = "leak"\nrate = 1.0\narea = "a"', "a leak needs the meter behind which it is"),
        ('kind = "one_connection"\nmeter = "e-1"', "affects a bus, not a meter"),
        ('kind = "bad_checksum"', "needs a link that is rtu_tcp | rtu"),
        ('kind = "stuck"\nstart = 2025-06-03T10:00:00', "has no offset from UTC"),
        (
            'kind = "stuck"\nstart = 2025-06-03T10:00:00+08:00\nafter_s = 3',
            "start and after_s both say when the fault begins",
        ),
        ('kind = "stuck"\nafter_s = 1e17', "outside of the years 1970 to 9000"),
        ('kind = "stuck"\nduration_s = 1e300', "outside of the years 1970 to 9000"),
        ('kind = "stuck"\nstart = 0001-01-01T00:00:00+08:00', "outside of the years 1970 to 9000"),
        (
            'kind = "one_connection"\narea = "a-floor"',
            "a whole bus, and no bus lies entirely in the area",
        ),
        ('kind = "wrong_register"\noffset = 0', "offset = 0 changes nothing"),
        (
            'kind = "spike"\nmeter = "w-1"\nquantity = "power_kw"',
            "no register of the fault's targets",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_mend(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _place(f"[[fault]]\n{text}\n")
    [problem] = caught.value.problems
    assert said in str(problem)
    assert str(problem).startswith("faults.toml")


def test_a_counter_without_an_end_does_not_roll_over() -> None:
    """The TUF-2000M's total is whole numbers and has an end; floats have none."""
    _place('[[fault]]\nkind = "rollover"\nmeter = "w-1"\nafter_s = 60\n')


def test_all_problems_are_told_at_once_and_nothing_is_placed() -> None:
    script = FaultScript(simulated(), 1, BEGIN_MS)
    text = (
        '[[fault]]\nid = "a"\nkind = "no_answer"\n[[fault]]\nid = "a"\nkind = "busy"\n'
        '[[fault]]\nkind = "busy"\nmeter = "x"\n'
    )
    with pytest.raises(ConfigError) as caught:
        script.place(config_file.decode(config_file.parse(text, "faults.toml"), FaultsFile).fault)
    assert [problem.path for problem in caught.value.problems] == [
        ("fault", 2, "meter"),
        ("fault", 0, "id"),
        ("fault", 1, "id"),
    ]
    assert script.placed == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_written_and_says_what_it_is(kind: str) -> None:
    keys = KINDS[kind].own_keys()
    needed = {"delay_s": 0.1, "factor": 2.0, "rate": 1.0}
    given = "".join(f"{key} = {needed[key]}\n" for key in keys if key in needed)
    framed = KINDS[kind].links
    target = 'meter = "e-1"\n' if kind != "one_connection" else 'bus = "bus-a"\n'
    script = _place(f'[[fault]]\nkind = "{kind}"\n{target}{given}', framed[0])
    [placed] = script.placed
    assert placed.fault.kind() == kind
    assert (KINDS[kind].__doc__ or "").split("\n")[0].endswith(".")


def test_a_target_is_a_meter_a_bus_an_area_with_what_lies_in_it_or_everything() -> None:
    def touched(target: str) -> set[str]:
        return set(_place(f'[[fault]]\nkind = "no_answer"\n{target}\n').placed[0].meters)

    assert touched('meter = "e-1"') == {"e-1"}
    assert touched('bus = "bus-a"') == {"e-1", "e-2", "w-1"}
    assert touched('area = "a"') == {"e-1", "e-2", "w-1"}
    assert touched("") == {"e-1", "e-2", "w-1", "e-b"}


def test_a_fault_is_there_in_its_time_only() -> None:
    script = _place('[[fault]]\nkind = "busy"\nmeter = "e-1"\nafter_s = 10\nduration_s = 5\n')

    def there(second: float, meter: str = "e-1") -> list[Fault]:
        return list(script.reply_faults(meter, BEGIN_MS + round(1000 * second)))

    assert [bool(there(second)) for second in (9.9, 10, 14.9, 15)] == [False, True, True, False]
    assert not there(12, "e-2")


def test_what_is_drawn_is_about_as_likely_as_said() -> None:
    script = _place('[[fault]]\nkind = "busy"\nprobability = 0.2\n')
    hits = sum(bool(list(script.reply_faults("e-1", BEGIN_MS))) for _ in range(2000))
    assert 320 < hits < 480  # 400, five deviations of 18 either way
    other = _place('[[fault]]\nkind = "busy"\nprobability = 0.2\n')
    assert hits == sum(bool(list(other.reply_faults("e-1", BEGIN_MS))) for _ in range(2000))


def test_what_has_not_begun_is_gone_when_it_is_switched_off() -> None:
    script = _place('[[fault]]\nid = "later"\nkind = "busy"\nafter_s = 100\n')
    assert script.switch_off("nobody", BEGIN_MS) is None
    assert script.switch_off("later", BEGIN_MS) is not None
    assert script.placed == ()


def test_a_register_that_runs_cannot_become_older() -> None:
    script = FaultScript(simulated(), 1, BEGIN_MS)
    script.simulation_started()
    rollover = KINDS["rollover"](meter="e-1", after_s=60)
    with pytest.raises(ConfigError, match="must be there from the start of the simulation"):
        script.switch_on(rollover, BEGIN_MS)


def test_what_has_been_told_is_not_changed_afterwards() -> None:
    script = FaultScript(simulated(), 1, BEGIN_MS)
    script.simulation_started()
    now_ms = BEGIN_MS + 3_000_000
    leak = Leak(meter="w-1", rate=1.0)
    start = datetime.fromtimestamp(BEGIN_MS / 1000, UTC)
    for early in (
        msgspec.structs.replace(leak, after_s=0.0),
        msgspec.structs.replace(leak, start=start),
    ):
        with pytest.raises(ConfigError, match="begins in the past"):
            script.switch_on(early, now_ms)
    assert script.switch_on(leak, now_ms).span.begin_ms == now_ms


@pytest.mark.parametrize("kind", ["rollover", "replacement"])
def test_what_does_not_end_is_not_switched_off(kind: str) -> None:
    script = _place(f'[[fault]]\nid = "it"\nkind = "{kind}"\nmeter = "e-1"\nafter_s = 60\n')
    for at_s in (0, 100):
        with pytest.raises(UsageError, match="it can't be ended"):
            script.switch_off("it", BEGIN_MS + 1000 * at_s)
    assert len(script.placed) == 1


def test_an_id_that_is_made_up_is_nobody_elses() -> None:
    script = _place(
        '[[fault]]\nkind = "no_answer"\nmeter = "e-1"\n'
        '[[fault]]\nkind = "no_answer"\nid = "no-answer-1"\nmeter = "e-2"\n'
    )
    assert {one.id: set(one.meters) for one in script.placed} == {
        "no-answer-2": {"e-1"},
        "no-answer-1": {"e-2"},
    }


def test_a_serial_line_has_no_connection_to_be_made_anew() -> None:
    with pytest.raises(ConfigError, match="needs a link that is tcp"):
        _place('[[fault]]\nkind = "zero_on_reconnect"\n', "rtu")
