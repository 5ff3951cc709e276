"""Check the confirmations of a site's findings. Pure: site in, problems out.

Law: a confirmation that can't match any finding is reported as a mistake. Otherwise the finding
that the person meant would stay doubtful without an explanation.
"""

from collections.abc import Iterator, Mapping

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import Problem, UnreadKeys
from jieneng.metering.findings import KINDS
from jieneng.metering.site import Site
from jieneng.metering.spelling import nearest


def confirmation_problems(
    site: Site, _: Mapping[str, Model], unread: UnreadKeys
) -> Iterator[Problem]:
    """Yield a problem for each unknown code of a finding, and for days in the wrong order."""
    for number, row in enumerate(site.confirmed):
        path = ("confirmed", number)
        if not unread.covers(*path, "finding") and row.finding not in KINDS:
            close = nearest(row.finding, list(KINDS))
            yield Problem(
                text="{finding} is not the code of a finding.",
                fix="Did you mean {close}?"
                if close
                else "Write the code that `jieneng indicators` lists beside the finding.",
                values={"finding": row.finding, "close": close},
                path=(*path, "finding"),
            )
        if unread.covers_row(*path, "at", "until") or row.until is None:
            continue
        if row.until < row.at:
            yield Problem(
                text="the confirmation for {meter} ends on {until}, before it begins on {at}.",
                fix="Write the first day as `at` and the last one as `until`.",
                values={"meter": row.meter, "at": row.at, "until": row.until},
                path=(*path, "until"),
            )
