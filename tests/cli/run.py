"""Run the command as a user does: in a process, with its output and its exit code."""

import os
import subprocess
import sys
from pathlib import Path


def jieneng(
    *arguments: object, language: str = "en", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `jieneng` to its end and return its output and exit code."""
    return subprocess.run(
        [sys.executable, "-m", "jieneng", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=cwd,
        env={**os.environ, "JIENENG_LANGUAGE": language},
    )
