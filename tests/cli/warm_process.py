"""Run commands in forks of a process that has imported the program; one process for each language.

A command takes half a second of processor time to import what it needs and to read the library of
models, and the suite runs more than a hundred. A fork is a process like any other: it has its own
output, folder and exit code.

As a program, this module reads a request from each line, and writes an exit code for each.
"""

import atexit
import gc
import importlib
import json
import os
import select
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from jieneng import site_folder

#: Modules that commands import when they run.
_COMMON_MODULES: Final = (
    "analytics.app",
    "analytics.figure_queries",
    "analytics.report.page",
    "edge_agent.commissioning.bus_time_budget",
    "edge_agent.settings",
    "ingest.importing.importer",
    "ingest.settings",
    "jieneng.cli",
    "jieneng.storage.sqlite",
    "simulators.serving.site_server",
    "simulators.settings",
)
_TIMEOUT_S: Final = 240.0
#: How the files of standard input, output and error are opened.
_MODES: Final = (os.O_RDONLY, *(os.O_WRONLY | os.O_CREAT | os.O_TRUNC,) * 2)


class WarmProcess:
    """A process that has imported the program in one language."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.warm_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=dict(environment),
        )
        self._turn = threading.Lock()
        atexit.register(self.end)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        streams: tuple[Path, Path, Path],
    ) -> int:
        """Run a command in a fork, and return its exit code.

        Args:
            arguments: arguments of the command.
            environment: its environment.
            folder: its current folder.
            streams: files of its standard input, output and error.
        """
        sent, answers = self._process.stdin, self._process.stdout
        assert sent is not None
        assert answers is not None
        request = [list(arguments), dict(environment), str(folder), list(map(str, streams))]
        with self._turn:
            sent.write(json.dumps(request).encode() + b"\n")
            sent.flush()
            ready, _, _ = select.select([answers], [], [], _TIMEOUT_S)
            assert ready, f"jieneng {' '.join(arguments)} does not end"
            return int(answers.readline())

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _serve() -> None:
    for module in _COMMON_MODULES:
        importlib.import_module(module)
    site_folder.packaged_models()  # read once a process
    gc.freeze()  # a collection in a fork would copy all that it inherits
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _run(*json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(
    arguments: list[str], environment: dict[str, str], folder: str, streams: list[str]
) -> NoReturn:
    """Run a command in this process, and end it."""
    from jieneng import cli

    code: object = 0
    try:
        for file, descriptor, mode in zip(streams, range(3), _MODES, strict=True):
            os.dup2(os.open(file, mode), descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv = ["jieneng", *arguments]
        cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as Python itself does at the end of a process
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
