"""Check the ids of a site, and the keys that refer to them. Pure: site and models in, problems out.

Laws:

1. An unknown id is reported only once, with all rows that refer to it.
2. If a row or a model file could not be read, it may contain the id; then the reference is not
   reported.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

import msgspec

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import KeyPath, Problem, UnreadKeys
from jieneng.metering.site import Meter, Site, parent_cycle
from jieneng.metering.spelling import nearest

_TABLES: Final = ("institution", "area", "bus", "meter")


class _Reference(NamedTuple):
    """A reference from a key of a row to an id.

    Attributes:
        target: the id; None if the key is omitted.
        table: table whose rows have such ids, or "model".
    """

    path: KeyPath
    target: str | None
    table: str


def duplicate_ids(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each id that occurs more than once in a table, or among scopes."""
    for table in _TABLES:
        ids = [
            (number, row.id)
            for number, row in enumerate(getattr(site, table))
            if not unread.covers(table, number, "id")
        ]
        counts = Counter(row_id for _, row_id in ids)
        for number, row_id in ids:
            if counts[row_id] > 1:
                counts[row_id] = 0  # report each id only once
                yield Problem(
                    text="the id {id} occurs more than once in the table {table}.",
                    fix="Give each row a different id.",
                    values={"id": row_id, "table": table},
                    path=(table, number, "id"),
                )
    if unread.covers("site", "id"):
        return
    scopes = Counter([site.id, *site.areas, *(one.id for one in site.institution)])
    for scope, count in scopes.items():
        if count > 1 and [*site.areas].count(scope) <= 1:
            yield Problem(
                text="{id} is the id of two things; the site, the areas and the institutions"
                " must have different ids.",
                fix="Commands select figures by this id, so give each a different id.",
                values={"id": scope},
                path=("site", "id"),
            )


def dangling_references(
    site: Site, models: Mapping[str, Model], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each id that does not exist, with the rows that refer to it."""
    known: Mapping[str, Mapping[str, object]] = {
        "area": site.areas,
        "institution": {institution.id: institution for institution in site.institution},
        "bus": site.buses,
        "meter": site.meters,
        "model": models,
    }
    dangling: dict[tuple[str, str, str], list[_Reference]] = {}
    for reference in _references(site):
        target, table = reference.target, reference.table
        if target is None or target in known[table] or unread.covers(*reference.path):
            continue
        if unread.hides_ids(table) or (table == "model" and unread.covers(table, target)):
            continue
        place = str(reference.path[0]), str(reference.path[2])
        dangling.setdefault((*place, target), []).append(reference)
    for (_, key, target), references in dangling.items():
        close = nearest(
            target, [name for name in known[references[0].table] if isinstance(name, str)]
        )
        ids = [_row_name(site, reference.path) for reference in references]
        rows = ["?" if row_id is msgspec.UNSET else str(row_id) for row_id in dict.fromkeys(ids)]
        yield Problem(
            text="{key} = {target}, but {target} is not defined."
            if len(references) == 1
            else "{key} = {target}, but {target} is not defined; rows with this reference: {rows}.",
            fix="Did you mean {close}?" if close else "Define it, or correct the name.",
            values={"key": key, "target": target, "close": close, "rows": ", ".join(rows)},
            path=references[0].path,
        )


def _row_name(site: Site, path: KeyPath) -> object:
    """Return the id of the row in a path; for a confirmation, the code of its finding."""
    if path[0] == "confirmed":
        return site.confirmed[int(path[1])].finding
    row_id: object = getattr(site, str(path[0]))[path[1]].id
    return row_id


def _references(site: Site) -> Iterator[_Reference]:
    for number, area in enumerate(site.area):
        yield _Reference(("area", number, "parent"), area.parent, "area")
        for institution in area.institutions:
            yield _Reference(("area", number, "institutions"), institution, "institution")
    for number, meter in enumerate(site.meter):
        for area_id in meter.areas:
            yield _Reference(("meter", number, "area"), area_id, "area")
        yield _Reference(("meter", number, "parent"), meter.parent, "meter")
        yield _Reference(("meter", number, "bus"), meter.bus, "bus")
        yield _Reference(("meter", number, "model"), meter.model, "model")
        for replacement in meter.replaced:
            yield _Reference(("meter", number, "replaced"), replacement.model, "model")
    for number, confirmed in enumerate(site.confirmed):
        yield _Reference(("confirmed", number, "meter"), confirmed.meter, "meter")


def missing_models(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each meter that is polled and has no model."""
    for number, meter in enumerate(site.meter):
        if meter.bus is not None and meter.model is None:
            if unread.covers("meter", number, "model"):
                continue
            yield Problem(
                text="meter {meter} has a bus but no model.",
                fix="Add a line that says which registers it has, for example: "
                'model = "acrel-dtsd1352"',
                values={"meter": meter.id},
                path=("meter", number),
            )


def parent_cycles(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each cycle of parents among areas and among meters."""
    reported: set[str] = set()
    for table in ("area", "meter"):
        numbers = {
            row.id: number
            for number, row in enumerate(getattr(site, table))
            if not unread.covers(table, number, "id")
        }
        parents = {row_id: getattr(site, table)[n].parent for row_id, n in numbers.items()}
        for row_id, number in numbers.items():
            path = parent_cycle(parents, row_id)
            if path and not reported.intersection(path):
                reported.update(path)
                yield Problem(
                    text="the parents in {table} form a circle: {way}.",
                    fix="One of them has no parent in reality: remove the key parent there.",
                    values={"table": table, "way": " > ".join(path)},
                    path=(table, number, "parent"),
                )


def shared_accounts(site: Site, _: Mapping[str, Model], unread: UnreadKeys) -> Iterator[Problem]:
    """Yield a problem for each account that is stated at meters that can't share a bill.

    These are meters of different media, and a meter together with a meter above it, whose sum would
    contain the same consumption twice.
    """
    stated: dict[str, list[Meter]] = {}
    for number, meter in enumerate(site.meter):
        if unread.covers_row("meter", number, "account", "id", "medium", "parent"):
            continue
        for account in dict.fromkeys(meter.accounts):
            others = stated.setdefault(account, [])
            together = [other for other in others if _is_billed_with(meter, other, account)]
            for other in together:
                is_above = other.id in _above(site, meter) or meter.id in _above(site, other)
                if other.medium != meter.medium or is_above:
                    yield Problem(
                        text="account {account} belongs to meter {other} already.",
                        fix="Write an account at several meters only if they are of one medium and"
                        " none is above another: a bill is compared with the sum of its meters.",
                        values={"account": account, "other": other.id},
                        path=("meter", number, "account"),
                    )
                    break
            others.append(meter)


def _is_billed_with(meter: Meter, other: Meter, account: str) -> bool:
    """Return True if an account bills both meters on the same day."""
    dated = (rows.account for rows in (meter, other) if isinstance(rows.account, tuple))
    days = {date.min, *(row.from_ for rows in dated for row in rows)}
    return any(meter.is_billed_by(account, d) and other.is_billed_by(account, d) for d in days)


def _above(site: Site, meter: Meter) -> set[str]:
    """Return the ids of the meters above a meter; works even if the parents form a cycle."""
    above: set[str] = set()
    while (parent := site.meters.get(meter.parent or "")) is not None and parent.id not in above:
        above.add(parent.id)
        meter = parent
    return above
