"""Everything that can go wrong, in one tree.

    JienengError
    ├── ConfigError          what a person wrote is wrong: our side, mend the file    (exit 1)
    ├── UsageError           what was asked can't be done as asked                    (exit 2)
    ├── PeerError            what another machine sent is wrong: their side, refuse it
    │   ├── ReplyError         a meter's reply that is not the answer to the request
    │   ├── DeviceRefused      a meter answered with an exception code
    │   └── WireError          an MQTT payload that is not ours
    └── Unavailable          something that must be there is not: try again           (exit 3)
        ├── LinkError          a meter's link broke
        │   ├── LinkDown         it can't be opened or used: no fault of its meters
        │   └── Unanswered       it was there, and a question on it has no answer
        │       ├── HungUp         it had been closed while idle, as the next question finds out
        │       ├── TurnedAway     it is closed as soon as it is made, or by its first question
        │       └── Silent         it is open, and no whole reply came in time
        ├── SpoolUnavailable   the disk does not take or give what the agent keeps
        ├── BrokerUnavailable
        └── StoreUnavailable

Law: a `PeerError` is never retried blindly, an `Unavailable` always may be.

Messages for people are msgids: English sentences with `{placeholders}`, which
`jieneng.locale` renders in the reader's language; `str()` renders English.
"""

from collections.abc import Mapping, Sequence

import msgspec

#: Keys that lead to a place of a file, row numbers included: `("meter", 3, "parent")`.
KeyPath = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in what a person wrote, and its mend.

    Attributes:
        text: msgid of the sentence that says what is wrong.
        fix: msgid of the sentence that says what to do.
        values: what fills the placeholders of both.
        path: the keys that lead to the place, e.g. `("meter", 3, "parent")`.
        file: the file's name as the person knows it.
        line: its line, 1-based; None where the file has no such line.
    """

    text: str
    fix: str
    values: Mapping[str, object] = {}
    path: KeyPath = ()
    file: str = ""
    line: int | None = None

    def where(self) -> str:
        """`site.toml:41`, or as much of it as is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        sentence = f"{self.text.format_map(self.values)} {self.fix.format_map(self.values)}"
        return f"{self.where()}: {sentence}" if self.file else sentence


class UnreadKeys(msgspec.Struct, frozen=True):
    """Places of a configuration whose values are missing or wrong, so that nobody knows them.

    Law: a rule that needs a value which could not be read is not applied. The reader would be told
    of two mistakes and could correct only one.
    """

    paths: frozenset[KeyPath] = frozenset()

    def covers(self, *path: str | int) -> bool:
        """Return True if a place, something in it, or what surrounds it could not be read."""
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
    """The root. `text` is a msgid, `values` fill it."""

    def __init__(self, text: str, /, **values: object) -> None:
        super().__init__(text)
        self.text = text
        self.values = values

    def __str__(self) -> str:
        return self.text.format_map(self.values)


class ConfigError(JienengError):
    """What people wrote is wrong. Carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("{count} problem(s) in the configuration", count=len(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UsageError(JienengError):
    """What was asked can't be done as asked."""


class PeerError(JienengError):
    """Another machine sent what it should not have."""


class ReplyError(PeerError):
    """A reply that can't be the answer to our request; its bytes must not be believed."""


class StrayReply(ReplyError):
    """The reply to another question. Where replies carry no number, those before may be, too."""


class DeviceRefused(PeerError):
    """The device answered with an exception code.

    Attributes:
        code: Modbus exception code (Modbus application protocol V1.1b3, section 7).
    """

    def __init__(self, code: int) -> None:
        super().__init__("the device refused with exception {code}", code=code)
        self.code = code


class WireError(PeerError):
    """A payload that is not a message of ours. `reason` is a short name for counting."""

    def __init__(self, reason: str, text: str, **values: object) -> None:
        super().__init__(text, **values)
        self.reason = reason


class Unavailable(JienengError):
    """Something that must be there is not, for now."""


class LinkError(Unavailable):
    """A meter's link is not there, or broke while it was in use."""


class LinkDown(LinkError):
    """A meter's link can't be opened or used; says nothing about the meters on it."""


class Unanswered(LinkError):
    """A question on a link that was there has no answer."""


class HungUp(Unanswered):
    """A link that had served before was closed at once when it was to be used again."""


class TurnedAway(Unanswered):
    """A link was closed as soon as it was made, or by the first question on it."""


class Silent(Unanswered):
    """No whole reply came before the deadline."""


class SpoolUnavailable(Unavailable):
    """The disk does not take, or does not give, what the agent keeps on it."""


class BrokerUnavailable(Unavailable):
    """The MQTT broker can't be reached."""


class StoreUnavailable(Unavailable):
    """The database can't be reached, or said to try again."""
