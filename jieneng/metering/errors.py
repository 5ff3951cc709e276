"""The tree of errors, and the problem that a person can fix.

    JienengError
    ├── ConfigError                      a file that a person wrote is wrong: fix the file (exit 1)
    ├── UsageError                       a command can't be carried out as it was typed (exit 2)
    ├── NoData                           nothing is stored of the period that is asked for (exit 1)
    ├── PointsRefused                    the database rejects computed points (exit 1)
    ├── PeerError                        another machine sent something wrong: refuse it
    │   ├── ReplyError                   a meter's reply does not answer the request
    │   │   └── StrayReply               the reply answers another request
    │   ├── DeviceRefused                a meter replied with an exception code
    │   └── WireError                    an MQTT payload has another form than ours
    └── Unavailable                      something that is needed is not there: try again (exit 3)
        ├── LinkError                    a meter's link broke, or is not there
        │   ├── LinkDown                 the link can't be opened or used: no fault of its meters
        │   └── Unanswered               the link was there, but a request got no reply
        │       ├── IdleLinkClosed       the peer had closed an idle link before the next request
        │       ├── NewLinkClosed        the peer closes a link at once, or at its first request
        │       └── ReplyTimedOut        the link is open, but no whole reply came in time
        ├── SpoolUnavailable             the agent's disk can't be written or read
        ├── BrokerUnavailable            the MQTT broker can't be reached
        ├── StoreUnavailable             the database can't be reached
        ├── QuarantineUnavailable        the ingest's quarantine can't be written or read
        ├── OutboxUnavailable            the queue of notices can't be written or read
        └── GrafanaUnavailable           Grafana can't be reached

Law: an `Unavailable` may always be retried; a `PeerError` is never retried blindly.

Messages for people are msgids: English sentences with `{placeholders}`. `jieneng.locale` translates
them into the reader's language; `str()` renders them in English. `make locale` finds msgids by the
annotation `Msgid` of the parameter, field, variable or result to which the sentence is assigned.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

#: English sentence with `{placeholders}`, for which the catalogues contain translations.
Msgid: TypeAlias = str

#: Path to a value in a file, with row numbers: `("meter", 3, "parent")`.
KeyPath = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake in a file that a person wrote, and how to fix it.

    Attributes:
        text: msgid of the sentence that describes the mistake.
        fix: msgid of the sentence that tells how to fix it.
        values: values of the placeholders in both.
        path: path to the value in the file, such as `("meter", 3, "parent")`.
        file: name of the file.
        line: line in the file, counted from 1; None if the mistake has no line.
    """

    text: Msgid
    fix: Msgid
    values: Mapping[str, object] = {}
    path: KeyPath = ()
    file: str = ""
    line: int | None = None

    def where(self) -> str:
        """Return file and line as `site.toml:41`, as far as they are known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        sentence = f"{self.text.format_map(self.values)} {self.fix.format_map(self.values)}"
        return f"{self.where()}: {sentence}" if self.file else sentence


class UnreadKeys(msgspec.Struct, frozen=True):
    """Paths of a configuration whose values are missing or wrong, and therefore unknown.

    Law: a rule is not applied if a value that it needs could not be read. Otherwise one mistake
    would be reported twice.
    """

    paths: frozenset[KeyPath] = frozenset()

    def covers(self, *path: str | int) -> bool:
        """Return True if a path, or a part of it, or anything below it could not be read."""
        return any(unread[: len(path)] == path[: len(unread)] for unread in self.paths)

    def covers_row(self, table: str, row: int, *keys: str) -> bool:
        """Return True if any of these keys of a row could not be read."""
        return any(self.covers(table, row, key) for key in keys)

    def hides_ids(self, table: str) -> bool:
        """Return True if a table may have rows whose id could not be read."""
        return any(
            unread[:1] in ((), (table,)) and (len(unread) < 3 or unread[2] == "id")
            for unread in self.paths
        )


class JienengError(Exception):
    """Root of the tree. `text` is a msgid, `values` are the values of its placeholders."""

    def __init__(self, text: Msgid, /, **values: object) -> None:
        super().__init__(text)
        self.text: Msgid = text
        self.values = values

    def __str__(self) -> str:
        return self.text.format_map(self.values)


class ConfigError(JienengError):
    """Mistakes in files that people wrote; contains all problems, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("{count} problem(s) in the configuration", count=len(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UsageError(JienengError):
    """A command that can't be carried out as it was typed."""


class NoData(JienengError):
    """A period without any data in the store."""


class PointsRefused(JienengError):
    """Points that the database rejects, and rejects again until the cause is removed."""


class PeerError(JienengError):
    """A message of another machine that is wrong."""


class ReplyError(PeerError):
    """A reply that can't be the answer to the request; its bytes must not be used."""


class StrayReply(ReplyError):
    """A reply to another request. If replies carry no number, earlier replies may be wrong, too."""


class DeviceRefused(PeerError):
    """A device's reply that is an exception code.

    Attributes:
        code: Modbus exception code (Modbus application protocol V1.1b3, section 7).
    """

    def __init__(self, code: int) -> None:
        super().__init__("the device refused with exception {code}", code=code)
        self.code = code


class WireError(PeerError):
    """A payload that is not a valid message. `reason` is a short name for counting."""

    def __init__(self, reason: str, text: Msgid, **values: object) -> None:
        super().__init__(text, **values)
        self.reason = reason


class Unavailable(JienengError):
    """A service, link or disk that is temporarily not available."""


class LinkError(Unavailable):
    """A meter's link that can't be opened, or broke while it was used."""


class LinkDown(LinkError):
    """A link that can't be opened or used; its meters may be all right."""


class Unanswered(LinkError):
    """A request without a reply, on an open link."""


class IdleLinkClosed(Unanswered):
    """A link that worked before, and was closed while it was idle."""


class NewLinkClosed(Unanswered):
    """A link that was closed as soon as it was opened, or at its first request."""


class ReplyTimedOut(Unanswered):
    """A request without a complete reply before the deadline."""


class SpoolUnavailable(Unavailable):
    """The agent's disk queue can't be written or read."""


class BrokerUnavailable(Unavailable):
    """The MQTT broker can't be reached."""


class StoreUnavailable(Unavailable):
    """The database can't be reached, or asks to try again."""


class QuarantineUnavailable(Unavailable):
    """The ingest's quarantine can't be written or read."""


class OutboxUnavailable(Unavailable):
    """The analytics' queue of notices can't be written or read."""


class GrafanaUnavailable(Unavailable):
    """Grafana can't be reached, or has a fault of its own."""
