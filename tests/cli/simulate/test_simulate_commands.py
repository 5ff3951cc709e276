"""`jieneng simulate` as a tester uses it: start, faults, queries, end."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import jieneng
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server


@pytest.fixture
def crossed(tmp_path: Path) -> Path:
    """A scenario's folder."""
    done = jieneng("simulate", "scenarios", "crossed-reply", "--out", tmp_path / "crossed")
    assert done.returncode == 0, done.stderr
    (tmp_path / "crossed" / "simulator.toml").write_text('[[load]]\nmeter = "e-1"\nsteady = 36.0\n')
    return tmp_path / "crossed"


@pytest.fixture
def running(crossed: Path) -> Iterator[Path]:
    """The site of a simulator that runs."""
    command = [sys.executable, "-m", "jieneng", "simulate", "--site", str(crossed)]
    with (crossed / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--faults", "faults.toml", "--truth", str(crossed / "truth")],
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (crossed / "simulator.json").exists():
            assert process.poll() is None, (crossed / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield crossed
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0
    assert not (crossed / "simulator.json").exists()
    assert json.loads((crossed / "truth" / "run.json").read_text())["end"]


def _rows(*arguments: object) -> list[dict[str, object]]:
    done = jieneng("simulate", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_running_simulator_is_steered_and_asked(running: Path) -> None:
    site = ("--site", running)
    [scripted] = _rows("fault", "list", *site)
    assert scripted["kind"] == "late_answer"
    [on] = _rows("fault", "on", "exception", *site, "--meter", "e-1", "--duration", "60", "code=4")
    assert (on["id"], on["code"], on["on"]) == ("exception-1", 4, True)
    [truth] = _rows(*site, "truth", "--meter", "e-1")  # --site of the group holds for the command
    assert truth["rate"] == 36.0
    assert truth["faults"] == ["late-answer-1", "exception-1"]
    [off] = _rows("fault", "off", "exception-1", *site)
    assert off["on"] is False
    assert len(_rows("fault", "off", "--all", *site)) == 1
    assert _rows("served", *site) == []
    for arguments, code, said in (
        (("fault", "on", "no_answr"), 2, 'Did you mean "no_answer"?'),
        (("fault", "on", "slow_answer", "delay_s"), 2, "write it like delay_s=1.5"),
        (("fault", "off"), 2, "its id, or use --all"),
        (("fault", "off", "nothing"), 2, "Known are: late-answer-1, exception-1"),
        (("truth", "--meter", "e-9"), 2, "there is no meter e-9"),
        (("truth", "--at", "0001-01-01T00:00:00+00:00"), 2, "is not a time"),
        (("served", "--bus", "nope"), 2, "there is no bus nope"),
        (("scenarios", "--out", "somewhere"), 2, "name the scenario"),
        (("truth", "--url", "http://127.0.0.1:abc"), 3, "no simulator answers"),
        (("truth", "--url", "ftp://here"), 2, "is not a URL"),
        (("truth", "--url", "http://127.0.0.1:1"), 3, "Is it still running?"),
    ):
        where = () if arguments[0] == "scenarios" else site
        done = jieneng("simulate", *arguments, *where)
        assert (done.returncode, said in done.stderr) == (code, True), (arguments, done.stderr)


def test_without_a_simulator_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    done = jieneng("simulate", "fault", "list", "--site", tmp_path)
    assert done.returncode == 3
    assert f"start jieneng simulate --site {tmp_path}" in done.stderr


def test_a_mistake_in_a_script_is_told_with_its_line_before_anything_runs(crossed: Path) -> None:
    (crossed / "wrong.toml").write_text('[[fault]]\nkind = "busy"\nmeter = "e-9"\n')
    done = jieneng("simulate", "--site", crossed, "--faults", "wrong.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("wrong.toml:3: meter = e-9, but e-9 is not defined.")
    assert not (crossed / "simulator.json").exists()


def test_kinds_and_scenarios_are_listed_in_both_languages() -> None:
    kinds = jieneng("simulate", "fault", "kinds").stdout
    assert "late_answer" in kinds
    assert "delay_s=needed" in kinds
    assert "必填" in jieneng("simulate", "fault", "kinds", language="zh").stdout
    assert "crossed-reply" in jieneng("simulate", "scenarios").stdout
    one = jieneng("simulate", "scenarios", "zero-on-reconnect").stdout
    assert "Sigenergy" in one


def test_a_second_simulator_of_a_folder_is_refused(running: Path) -> None:
    """Two simulators would take each other's files and serial ports."""
    before = (running / "simulator.json").read_text()
    done = jieneng("simulate", "--site", running)
    assert done.returncode == 2
    assert "another simulator runs in" in done.stderr
    assert (running / "simulator.json").read_text() == before


def test_a_truth_is_never_written_over_another_one(crossed: Path) -> None:
    (crossed / "truth").mkdir()
    (crossed / "truth" / "run.json").write_text("{}")
    done = jieneng("simulate", "--site", crossed, "--truth", crossed / "truth")
    assert done.returncode == 2
    assert "holds the truth of another run" in done.stderr
