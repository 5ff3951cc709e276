"""polars and pandas as peers: installed once a machine beside the project, then run in one thread.

They are kept in the user's cache folder. Where they can't be installed, the bench says so and
reports without peers.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("polars==2.1.0", "pandas==3.1.1", "numpy==2.4.6", "tzdata")
_INSTALL_S: Final = 600
_SCRIPT: Final = Path(__file__).with_name("frame_sums.py")


def peer_rates(file: Path, zone: str) -> Mapping[str, float]:
    """Return million values a CPU second by the peer's name and version; empty without peers.

    Args:
        file: npz file with the columns meter, time_ms and value.
        zone: time zone in which days begin.
    """
    python = _python()
    if python is None:
        return {}
    threads = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [python, _SCRIPT, file, zone], env=os.environ | threads, check=True, stdout=subprocess.PIPE
    ).stdout
    rates: Mapping[str, float] = json.loads(told)
    return rates


def _python() -> Path | None:
    """The Python that has the peers, installed where it has not been; None where it can't be."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    names = "-".join(package.replace("==", "-") for package in _PACKAGES[:2])
    folder = caches / "jieneng-bench" / names
    python, ready = folder / "bin" / "python", folder / "ready"
    if ready.exists():
        return python
    sys.stderr.write(f"frames: installing {', '.join(_PACKAGES)}, once on this machine\n")
    try:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *_PACKAGES],
            check=True, timeout=_INSTALL_S, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"frames: can't be installed, so there are no peers: {error}\n")
        return None
    ready.touch()
    return python
