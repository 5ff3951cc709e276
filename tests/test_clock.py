"""The clock of the services."""

import subprocess
import sys
from pathlib import Path

import pytest

from jieneng.clock import FastClock, SystemClock, is_clock_set, kernel_clock_error_us


async def test_a_fast_clock_runs_faster_and_its_sleep_with_it() -> None:
    clock, real = FastClock(1_600_000_000_000, 3600), SystemClock()
    before = real.monotonic()
    start = clock.now_ms()
    await clock.sleep(36)
    assert clock.now_ms() - start >= 36_000
    assert real.monotonic() - before < 36


def test_clocks_of_two_processes_given_the_same_numbers_show_the_same_time() -> None:
    origin = SystemClock().now_ms() - 1000
    one, other = (FastClock(1_600_000_000_000, 60, origin) for _ in range(2))
    assert abs(one.now_ms() - other.now_ms()) < 60 * 100
    assert one.now_ms() >= 1_600_000_060_000
    assert one.machine_boot() == other.machine_boot()
    assert abs(one.up_ms() - other.up_ms()) < 60 * 100


@pytest.mark.server
@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_the_machines_running_time_goes_on_from_one_process_to_the_next() -> None:
    clock = SystemClock()
    before = clock.up_ms()
    code = (
        "from jieneng.clock import SystemClock as C; print(C().up_ms()); print(C().machine_boot())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    up_ms, boot = said.stdout.splitlines()
    assert before <= int(up_ms) <= clock.up_ms()
    assert boot == clock.machine_boot()


@pytest.mark.parametrize("service", ["systemd/timesync", "chrony", "ntpd.pid", "ntpd/socket"])
def test_a_clock_that_its_service_has_not_set_is_not_set(tmp_path: Path, service: str) -> None:
    """After a power cut it shows the time of the power cut, or of the last save before it."""
    (tmp_path / service).mkdir(parents=True)
    assert not is_clock_set(tmp_path, lambda: 16_000_000)
    assert not is_clock_set(tmp_path, lambda: 2**40)
    assert is_clock_set(tmp_path, lambda: 15_999_500)
    assert is_clock_set(tmp_path, lambda: None), "where the kernel does not say, nobody knows"


def test_a_clock_that_nobody_will_set_is_as_right_as_it_will_be(tmp_path: Path) -> None:
    """A container, a developer's machine, a box with a good clock of its own."""

    def asked() -> int:
        raise AssertionError("the kernel's opinion is of no account there")

    assert is_clock_set(tmp_path, asked)
    assert is_clock_set(tmp_path / "not there", asked)
    assert FastClock(1_600_000_000_000, 3600).is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_the_kernel_says_how_wrong_its_clock_may_be() -> None:
    """Also if it does not say so; and the query does not change its clock."""
    error = kernel_clock_error_us()
    assert error is None or 0 <= error < 2**40
    assert isinstance(SystemClock().is_set(), bool)
