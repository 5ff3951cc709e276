"""Batches for tests of the spool, and file systems and files that can be broken."""

import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool import Spool
from jieneng import observe

LOG = observe.log("test")
BOOT, OTHER = "aaaaaaaa", "bbbbbbbb"


def row(seq: int, samples: int = 3, size: int = 100, boot: str = BOOT) -> QueuedBatch:
    return QueuedBatch(boot, seq, samples, bytes([seq % 256]) * size)


@asynccontextmanager
async def spool(path: Path, max_bytes: int = 10**6) -> AsyncIterator[Spool]:
    one = Spool(path, max_bytes, LOG)
    try:
        await one.open()
        yield one
    finally:
        await one.close()


def balanced(counts: SampleCounts) -> bool:
    return counts.read == counts.stored + counts.quarantined + counts.pending + counts.dropped


def fill_disk(folder: Path, leave_bytes: int = 0) -> None:
    """Fill the disk as another program would, to the last byte or down to `leave_bytes`."""
    with (folder / "others").open("ab", buffering=0) as others:
        for size in (4096, 1):
            with suppress(OSError):
                while shutil.disk_usage(folder).free > leave_bytes or not leave_bytes:
                    others.write(bytes(size))


def flip_bytes(file: Path, chance: random.Random) -> None:
    """Overwrite a few random bytes of a file."""
    with file.open("r+b") as data:
        size = file.stat().st_size
        for _ in range(chance.randint(1, 8)):
            data.seek(chance.randrange(size))
            data.write(bytes([chance.randrange(256)]))


@contextmanager
def mounted(folder: Path, *what: str) -> Iterator[Path]:
    """Mount a real file system in this folder, or skip the test."""
    folder.mkdir()
    run("mount", *what, str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)


def run(*command: str) -> str:
    """Return the output of a program that needs root, or skip the test."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{command[0]} can't be used here, that takes root: {done.stderr.strip()}")
    return done.stdout.strip()
