"""Check the `alerts.toml` of a site whose `site.toml` may have mistakes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from analytics.alerts.alert_files import examine_alerts
from analytics.alerts.alert_rule import Receiver
from analytics.alerts.delivery.notify import address_problem, holds_secret
from analytics.alerts.delivery.receiver_address import receiver_address
from jieneng.metering.errors import Msgid, Problem, UnreadKeys, UsageError
from jieneng.metering.site import Site, SiteInfo
from jieneng.site_folder import Examination

_NOTHING_READ: Final = UnreadKeys(frozenset({()}))
_DECEMBER: Final = 12


class Checked(NamedTuple):
    """The problems and the warnings of a file."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def check_alerts(site_dir: Path, found: Examination | None, now_ms: int) -> Checked:
    """Return the mistakes and probable mistakes of `alerts.toml`.

    Args:
        site_dir: the site's folder.
        found: the site; None if `site.toml` could not be read at all.
        now_ms: the time [UTC, ms]. The check needs the holidays of the current year, and from
            December on also the holidays of the next year.
    """
    if found is None:
        unknown = Site(site=SiteInfo(id="unknown", name=""))
        examined = examine_alerts(site_dir, unknown, site_unread=_NOTHING_READ)
        return Checked(examined.problems, ())
    today = datetime.fromtimestamp(now_ms / 1000, UTC)
    years = [today.year, today.year + 1] if today.month == _DECEMBER else [today.year]
    examined = examine_alerts(
        site_dir,
        found.site,
        models=found.models,
        years=years,
        site_unread=found.unread if found.problems else None,
    )
    of_addresses = _check_addresses(site_dir, examined.receivers)
    return Checked(
        (*examined.problems, *map(examined.document.locate, of_addresses.problems)),
        _by_line([*examined.warnings, *map(examined.document.locate, of_addresses.warnings)]),
    )


def _by_line(warnings: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(warnings, key=lambda warning: warning.line or 0))


def _check_addresses(site_dir: Path, receivers: Mapping[int, Receiver]) -> Checked:
    """Return the problems and warnings of the addresses, with their places in `alerts.toml`."""
    problems, warnings = list[Problem](), list[Problem]()
    for number, receiver in receivers.items():
        key = "url" if receiver.url is not None else "url_file"
        place = ("receiver", number, key)
        try:
            address = receiver_address(receiver, site_dir)
        except UsageError as error:
            problems.append(
                Problem(
                    text=error.text,
                    fix="Addresses are explained in docs/alerts.md, [[receiver]].",
                    values=error.values,
                    path=place,
                )
            )
            continue
        mistake: Msgid | None = address_problem(address)
        if mistake is not None:
            problems.append(
                Problem(
                    text=mistake,
                    fix="Addresses are explained in docs/alerts.md, [[receiver]].",
                    path=place,
                )
            )
        elif receiver.url is not None and holds_secret(address):
            warnings.append(
                Problem(
                    text="the address of receiver {receiver} contains a password or a key."
                    " Anybody with a copy of alerts.toml can read it.",
                    fix='Move the address to a file: url_file = "secrets/{receiver}.url"',
                    values={"receiver": receiver.id},
                    path=place,
                )
            )
    return Checked(tuple(problems), tuple(warnings))
