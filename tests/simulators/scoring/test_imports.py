"""Scoring needs neither servers nor the simulation: only files and arrays."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.server

#: Modules that a machine without the simulator's servers must be able to import.
READING = ("reading_pairs", "consumption_comparison", "score", "truth_files", "truth_reader")


@pytest.mark.parametrize("module", READING)
def test_scoring_is_imported_without_servers_and_meters(module: str) -> None:
    program = (
        f"import sys, simulators.scoring.{module}\n"
        "print([name for name in sys.modules if name.startswith(('simulators.serving', "
        "'simulators.registers', 'simulators.simulated_site', 'aiohttp', 'pymodbus'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
