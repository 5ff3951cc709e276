"""Send quarantined entries through the checks and to the store again.

Laws:

1. A replayed entry goes through the same checks, and to the same store, as a message from an agent.
2. Samples are removed from the quarantine only after the store has confirmed them. Samples that are
   refused again stay, with their new reason.
3. A replay that was interrupted can be repeated, because writing a sample twice changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from ingest.admission.message_checker import CheckedMessage, MessageChecker
from ingest.quarantine.quarantine_entry import EntryFilter, QuarantineEntry, QuarantineItem
from ingest.quarantine.quarantine_file import Quarantine
from ingest.storing.acknowledgement import settle
from ingest.storing.late_days import LateDays
from jieneng.storage import Store

#: Entries that are written together.
_ENTRIES_PER_WRITE: Final = 100


class StillRefused(msgspec.Struct, frozen=True):
    """Entries of one reason and meter that were refused again.

    Attributes:
        reason: short name of the reason.
        meter: their meter; "" if it can't be read.
        detail: reason of the first entry, in a sentence.
        entries: number of entries.
        samples: number of samples in them.
    """

    reason: str
    meter: str
    detail: str
    entries: int
    samples: int


class ReplayReport(msgspec.Struct, frozen=True):
    """The result of a replay.

    Attributes:
        entries: number of entries that were sent again.
        stored: samples that the store confirmed.
        refused: samples that are still refused, by reason and meter.
    """

    entries: int
    stored: int
    refused: tuple[StillRefused, ...]


async def replay(
    quarantine: Quarantine,
    chosen: EntryFilter,
    checker: MessageChecker,
    store: Store,
    late_days: LateDays,
    now_ms: int,
    progress: Callable[[int], None],
) -> ReplayReport:
    """Send the chosen entries again.

    Args:
        quarantine: the quarantine.
        chosen: entries to send.
        checker: checks messages against the site's current files.
        store: the store, prepared.
        late_days: marks the days of late readings, in the same write.
        now_ms: time of the replay, UTC.
        progress: called with the number of entries done.

    Raises:
        StoreUnavailable: the store failed. Samples that it had confirmed before are removed from
            the quarantine.
        QuarantineUnavailable: the quarantine can't be written or read.
    """
    entries = stored = 0
    refused: dict[tuple[str, str], StillRefused] = {}
    for page in _pages(quarantine.entries(chosen)):
        checked = [_check(checker, entry, now_ms) for entry in page]
        points = [point for one in checked for point in one.points]
        result = await store.write([*points, *late_days.marks(points)])
        refused_points = [one for one in result.not_stored if one.index < len(points)]
        settled = settle(checked, refused_points, frozenset())
        left = [
            _left(entry, (*one.items, *one.others))
            for entry, one in zip(page, settled, strict=True)
        ]
        pairs = list(zip(page, left, strict=True))
        await asyncio.to_thread(quarantine.replace_replayed, pairs)
        entries += len(page)
        for entry, items in pairs:
            stored += entry.item.samples - sum(item.samples for item in items)
            for item in items:
                _count(refused, item)
        progress(entries)
    return ReplayReport(entries, stored, tuple(refused.values()))


def _pages(entries: Iterable[QuarantineEntry]) -> Iterable[Sequence[QuarantineEntry]]:
    page: list[QuarantineEntry] = []
    for entry in entries:
        page.append(entry)
        if len(page) == _ENTRIES_PER_WRITE:
            yield page
            page = []
    if page:
        yield page


def _check(checker: MessageChecker, entry: QuarantineEntry, now_ms: int) -> CheckedMessage:
    item = entry.item
    if item.is_cut:  # its end is not known, so it can't be checked again
        return CheckedMessage(to_quarantine=(item,), rejection=item.reason)
    # The time of a status is the time at which it arrived.
    is_status = item.topic.endswith("/status")
    return checker.check(item.topic, item.payload, entry.time_ms if is_status else now_ms)


def _left(entry: QuarantineEntry, items: Sequence[QuarantineItem]) -> list[QuarantineItem]:
    """Return the refused items of an entry, with the batch and topic of the entry."""
    own = entry.item
    return [
        msgspec.structs.replace(
            item, agent=own.agent, boot=own.boot, seq=own.seq, acknowledged=own.acknowledged
        )
        for item in items
    ]


def _count(refused: dict[tuple[str, str], StillRefused], item: QuarantineItem) -> None:
    key = (item.reason, item.meter)
    before = refused.get(key) or StillRefused(item.reason, item.meter, item.detail, 0, 0)
    refused[key] = msgspec.structs.replace(
        before, entries=before.entries + 1, samples=before.samples + item.samples
    )
