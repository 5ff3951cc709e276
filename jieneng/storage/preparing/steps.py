"""Do the steps of a preparation, or only report them, and hand out new secrets.

Laws:

- A database, bucket, user or token that exists is not changed. A dry run changes nothing.
- A secret is printed or saved as soon as it is created, so that a later failure can't lose it. The
  file for the secret is created first, with mode 0600, and never replaces another file.
"""

import os
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from jieneng.metering.errors import Msgid, UsageError


class Account(msgspec.Struct, frozen=True):
    """The account of a service; it has only the rights that the service needs."""

    name: str
    reads: bool
    writes: bool


#: The ingest only writes; the analytics reads readings and writes figures; Grafana shows.
ACCOUNTS: Final = (
    Account("ingest", reads=False, writes=True),
    Account("analytics", reads=True, writes=True),
    Account("grafana", reads=True, writes=False),
)


class PrepareOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a preparation.

    Attributes:
        database: name of the database or bucket.
        retention_s: time for which points are kept [s]; 0 for ever. None leaves the retention of a
            database unchanged; a new database then keeps its points for ever.
        org: organisation of InfluxDB 2; None if there is only one.
        dry_run: True to change nothing.
        secret_dir: folder for the secrets; None to print them.
        base_year_ms: start of the plan's base year [UTC, ms]; None without a plan.
        now_ms: current time [UTC, ms].
    """

    database: str
    retention_s: int | None
    org: str | None
    dry_run: bool
    secret_dir: Path | None
    base_year_ms: int | None
    now_ms: int


class State(Enum):
    """Result of a step."""

    THERE = "there"
    MADE = "made"
    WOULD = "would"


class Done(msgspec.Struct, frozen=True):
    """A finished step: what it created or found, and the result."""

    text: Msgid
    values: dict[str, object]
    state: State


class Note(msgspec.Struct, frozen=True):
    """A sentence for the reader; `is_fault` if something must be corrected."""

    text: Msgid
    values: dict[str, object] = {}
    is_fault: bool = False


class Secret(msgspec.Struct, frozen=True):
    """A new secret: its owner, and its text or the file that holds it."""

    owner: str
    text: str
    file: Path | None


class Steps:
    """Steps of one preparation."""

    def __init__(self, options: PrepareOptions) -> None:
        self.options = options

    async def do(
        self,
        text: Msgid,
        values: dict[str, object],
        *,
        is_there: bool,
        action: Callable[[], Awaitable[object]],
    ) -> Done:
        """Run the action of a step, unless its result exists already or this is a dry run."""
        if is_there:
            return Done(text, values, State.THERE)
        if self.options.dry_run:
            return Done(text, values, State.WOULD)
        await action()
        return Done(text, values, State.MADE)

    async def make_secret(
        self, owner: str, file_name: str, make: Callable[[], Awaitable[str]]
    ) -> Secret:
        """Create a secret, and write it to its own file if a folder is given."""
        folder = self.options.secret_dir
        if folder is None:
            return Secret(owner, await make(), None)
        path = folder / file_name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise UsageError(
                "{path} can't be created for the secret of {owner}: {reason}. Move that file, or "
                "give another --token-dir.",
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
