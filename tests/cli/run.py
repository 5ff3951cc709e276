"""Run the command as a user does: in a process, with its output and its exit code."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.cli.warm_process import WarmProcess

_warm: dict[tuple[str, str], WarmProcess] = {}


def jieneng(
    *arguments: object, language: str = "en", cwd: Path | None = None, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `jieneng` to its end and return its output and exit code.

    Args:
        arguments: its arguments.
        language: language of its texts.
        cwd: its current folder; the present one if None.
        typed: text that it reads from its standard input.
    """
    environment = {**os.environ, "JIENENG_LANGUAGE": language}
    kind = (language, environment.get("PYTHONPATH", ""))  # both decide what is imported
    if kind not in _warm:
        _warm[kind] = WarmProcess(environment)
    command = [*map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        streams = (Path(folder, "input"), Path(folder, "output"), Path(folder, "errors"))
        streams[0].write_text(typed, encoding="utf-8")
        code = _warm[kind].run(command, environment, cwd or Path.cwd(), streams)
        output, errors = (file.read_text(encoding="utf-8") for file in streams[1:])
        return subprocess.CompletedProcess(["jieneng", *command], code, output, errors)
