"""Check the rows `[[account]]` of `tariffs.toml`. Pure: rows and a site in, problems out."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from analytics.tariffs.tariff import Account, Tariff
from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.quantities import Medium
from jieneng.metering.site import Meter, Site

#: Key that each basis of the charge for demand needs.
_NEEDED: Final = {"capacity": "capacity_kva", "contract": "contract_kw"}


def account_meters(account: Account, site: Site) -> tuple[str, ...]:
    """Return the ids of an account's meters; if none is stated, of the meters with the account."""
    found = [meter.id for meter in site.meter if account.id in meter.accounts]
    return account.meters or tuple(found)


def check_accounts(
    rows: Sequence[Account], tariffs: Mapping[str, Tariff], site: Site | None
) -> Iterator[tuple[int, Problem]]:
    """Yield (row index, problem) for each mistake in accounts.

    Args:
        rows: the accounts.
        tariffs: tariffs by id.
        site: the site; None while `site.toml` has mistakes. Meters are then not checked.
    """
    owners: dict[str, str] = {}
    for index, row in enumerate(rows):
        for problem in (*_tariff_problems(row, tariffs), *_demand_problems(row)):
            yield index, problem
        if site is None:
            continue
        media = {tariffs[one.value].medium for one in row.tariff if one.value in tariffs}
        for problem in _meter_problems(row, site, media):
            yield index, problem
        for meter in account_meters(row, site):
            if meter in owners and not _has_dates(site.meters.get(meter)):
                text: Msgid = "account {id}: meter {meter} belongs to account {other} already."
                values = {"id": row.id, "meter": meter, "other": owners[meter]}
                fix: Msgid = "Remove it from one of them."
                yield index, Problem(text=text, fix=fix, values=values, path=("meters",))
            owners.setdefault(meter, row.id)


def _has_dates(meter: Meter | None) -> bool:
    """Return True if the accounts of a meter are dated, so that it has one at a time."""
    return meter is not None and isinstance(meter.account, tuple)


def _tariff_problems(row: Account, tariffs: Mapping[str, Tariff]) -> Iterator[Problem]:
    for number, dated in enumerate(row.tariff):
        if dated.value not in tariffs:
            yield Problem(
                text="account {id}: {tariff} is no tariff.",
                fix="Use one of: {known}.",
                values={"id": row.id, "tariff": dated.value, "known": ", ".join(tariffs)},
                path=("tariff", number),
            )
    known = [tariffs[dated.value] for dated in row.tariff if dated.value in tariffs]
    if len({tariff.medium for tariff in known}) > 1:
        yield _problem(
            row, "account {id}: its tariffs are of several media.", "Write two accounts.", "tariff"
        )
    if any(one.from_ >= other.from_ for one, other in pairwise(row.tariff)):
        yield _problem(
            row, "account {id}: its tariffs are not in order of time.", "Sort them.", "tariff"
        )


def _demand_problems(row: Account) -> Iterator[Problem]:
    for number, demand in enumerate(row.demand):
        needed = _NEEDED.get(demand.basis)
        if needed is not None and getattr(demand, needed) is None:
            yield Problem(
                text="account {id}: the basis {basis} needs {key}.",
                fix="Add the key to this demand, with the number of the contract.",
                values={"id": row.id, "basis": demand.basis, "key": needed},
                path=("demand", number),
            )
        if demand.from_.day != 1:
            yield Problem(
                text="account {id}: the charge for demand changes on {day}, within a month.",
                fix="Write the first day of the month from which it is charged so.",
                values={"id": row.id, "day": demand.from_},
                path=("demand", number),
            )
    if any(one.from_ >= other.from_ for one, other in pairwise(row.demand)):
        yield _problem(
            row, "account {id}: its demands are not in order of time.", "Sort them.", "demand"
        )


def _meter_problems(row: Account, site: Site, media: set[Medium]) -> Iterator[Problem]:
    found = account_meters(row, site)
    if not found:
        yield Problem(
            text="account {id} has no meter.",
            fix='Write meters = ["..."] here, or account = "{id}" at a meter of site.toml.',
            values={"id": row.id},
            path=("id",),
        )
    for meter_id in found:
        text: Msgid | None = _meter_mistake(row.id, site.meters.get(meter_id), media)
        if text is not None:
            values = {"id": row.id, "meter": meter_id}
            fix: Msgid = "Correct the meter, or remove it."
            yield Problem(text=text, fix=fix, values=values, path=("meters",))


def _meter_mistake(account: str, meter: Meter | None, media: set[Medium]) -> Msgid | None:
    """Return the mistake of a meter that an account names; None if there is none."""
    if meter is None:
        return "account {id}: {meter} is no meter of site.toml."
    if meter.role != "consumption":
        return "account {id}: meter {meter} does not measure consumption."
    if media and meter.medium not in media:
        return "account {id}: meter {meter} is of another medium than the tariff."
    if _has_dates(meter) and account not in meter.accounts:
        return "account {id}: the dated accounts of meter {meter} in site.toml do not name it."
    return None


def _problem(row: Account, text: Msgid, fix: Msgid, key: str) -> Problem:
    return Problem(text=text, fix=fix, values={"id": row.id}, path=(key,))
