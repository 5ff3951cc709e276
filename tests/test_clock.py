"""The clock that is passed in."""

import subprocess
import sys

import pytest

from jieneng.clock import FastClock, SystemClock


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
