"""Run the demo's services as processes: start, restart after a death, end all together."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

#: Time after which a dead service is restarted [s]; until then a viewer can watch the others.
RESTART_S: Final = 5.0
#: Time that a service may take to close before it is killed [s].
_CLOSE_S: Final = 10.0


class Service:
    """A process that runs a command of `jieneng`. Its logs go to a file."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.log = log
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id; None while the service is dead."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> None:
        """Keep the service running until cancelled, then end it."""
        try:
            while True:
                await self._start()
                assert self._process is not None  # noqa: S101 - _start sets it
                await self._process.wait()
                self.restarts += 1
                await asyncio.sleep(RESTART_S)
        finally:
            await self._end()

    async def _start(self) -> None:
        with self.log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "jieneng",
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # If the demo is killed, the kernel ends the service as well.
                env={**os.environ, "JIENENG_END_WITH_PARENT": "1"},
            )

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_CLOSE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def wait_until(
    condition: Callable[[], bool], service: Service, seconds: float = 30.0
) -> None:
    """Wait until a service has made a condition true.

    Raises:
        TimeoutError: the condition is still false after `seconds`, or the service died. The message
            names the log of the service.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if service.restarts or asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{service.name} did not start; its log is {service.log}")
        await asyncio.sleep(0.05)
