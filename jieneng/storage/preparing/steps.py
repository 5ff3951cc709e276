"""Do a step of a preparation, or only say it, and hand out the secrets that it makes.

Laws:

- What is there stays as it is; a dry run does nothing.
- A secret is told as soon as it is made, so that no later failure loses it. Its file is made before
  it, with mode 0600, and never replaces another file.
"""

import os
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from jieneng.metering.errors import Msgid, UsageError


class Account(msgspec.Struct, frozen=True):
    """A service that has an account of its own, with the least rights that it needs."""

    name: str
    reads: bool
    writes: bool


#: The ingest only writes; the analytics reads readings and writes figures; Grafana shows.
ACCOUNTS: Final = (
    Account("ingest", reads=False, writes=True),
    Account("analytics", reads=True, writes=True),
    Account("grafana", reads=True, writes=False),
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a preparation is to make.

    Attributes:
        database: name of the database or bucket.
        retention_s: time for which points are kept [s]; 0 without end; None as it is, and without
            end where it is new.
        org: organisation of InfluxDB 2; the only one if None.
        dry_run: True if nothing is to be changed.
        secret_dir: folder for the secrets; None to print them.
        base_year_ms: begin of the plan's base year [UTC, ms]; None without a plan.
        now_ms: the time [UTC, ms].
    """

    database: str
    retention_s: int | None
    org: str | None
    dry_run: bool
    secret_dir: Path | None
    base_year_ms: int | None
    now_ms: int


class State(Enum):
    """What became of a step."""

    THERE = "there"
    MADE = "made"
    WOULD = "would"


class Done(msgspec.Struct, frozen=True):
    """A step: the thing that it is about, and its state."""

    text: Msgid
    values: dict[str, object]
    state: State


class Note(msgspec.Struct, frozen=True):
    """A sentence for the reader; `is_fault` if something is not as it must be."""

    text: Msgid
    values: dict[str, object] = {}
    is_fault: bool = False


class Secret(msgspec.Struct, frozen=True):
    """A new secret: its owner, and its text or the file that holds it."""

    owner: str
    text: str
    file: Path | None


class Steps:
    """Does the steps of one preparation."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish

    async def do(
        self,
        text: Msgid,
        values: dict[str, object],
        *,
        is_there: bool,
        action: Callable[[], Awaitable[object]],
    ) -> Done:
        """Do a step unless its thing is there or nothing is to be changed."""
        if is_there:
            return Done(text, values, State.THERE)
        if self.wish.dry_run:
            return Done(text, values, State.WOULD)
        await action()
        return Done(text, values, State.MADE)

    async def make_secret(
        self, owner: str, file_name: str, make: Callable[[], Awaitable[str]]
    ) -> Secret:
        """Make a secret, and put it into a file of its own if a folder is wished."""
        folder = self.wish.secret_dir
        if folder is None:
            return Secret(owner, await make(), None)
        path = folder / file_name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise UsageError(
                "{path} can't be made for the secret of {owner}: {reason}. Move it away, or name "
                "another --token-dir.",
                path=path,
                owner=owner,
                reason=error.strerror,
            ) from error
        try:
            os.write(handle, (await make() + "\n").encode())
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(handle)
        return Secret(owner, "", path)
