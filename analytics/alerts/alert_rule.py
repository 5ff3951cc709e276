"""Define the rows of `alerts.toml`: rules, routes, receivers and maintenance.

Pure: no clock, no file.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from analytics.calendar.working_hours import Hours, When
from jieneng.metering.errors import Msgid
from jieneng.metering.quantities import Medium

Severity = Literal["info", "warning", "critical"]
#: Severities from the least to the greatest.
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
_Id = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}\Z",
        description="Write lower-case letters, digits and hyphens in quotes, at most 48 "
        "characters, for example: {example}",
        examples=["water-at-night"],
    ),
]
_Seconds = Annotated[float, Meta(ge=0)]
_ClockTime = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z",
        description="Write a time of day in quotes, for example: {example}",
        examples=["08:00"],
    ),
]


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[rule]]`: the limit of a signal.

    Attributes:
        signal: name of a row of `jieneng.metering.alert_signals.SIGNALS`; empty only in a row
            that switches a packaged rule off, before the row is merged with the packaged rule.
        quantity: quantity of the signals `quantity` and `rate`, e.g. `power_kw`; None for others.
        above: the alert fires while the signal is above this; in the signal's unit.
        below: the alert fires while the signal is below this. A rule has `above` or `below`.
        clear: value at which the alert recovers (hysteresis); None for the limit itself.
        for_s: time for which the signal must be beyond the limit before the alert fires [s].
        keep_firing_for_s: time for which the signal must be back before the alert recovers [s].
        severity: importance, by which routes choose.
        medium: media of the meters that the rule watches; empty for all.
        area: areas, with all areas within them, that the rule watches; empty for all.
        meter: meters that the rule watches; empty for all.
        except_meter: meters that the rule does not watch.
        when: hours in which the rule is evaluated.
        enabled: false switches the rule off.
        remind_s: interval of reminders while the alert fires [s]; 0 for none.
        name: name of the rule for people; empty for the name of the signal. The names of packaged
            rules are msgids.
        runbook: link to the site's own instructions; empty for the instructions in docs/alerts.md.
    """

    id: _Id
    signal: Annotated[str, Meta(examples=["night_flow"])] = ""
    quantity: str | None = None
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    for_s: _Seconds = 0.0
    keep_firing_for_s: _Seconds = 0.0
    severity: Severity = "warning"
    medium: tuple[Medium, ...] = ()
    area: tuple[str, ...] = ()
    meter: tuple[str, ...] = ()
    except_meter: tuple[str, ...] = ()
    when: When = "always"
    enabled: bool = True
    remind_s: _Seconds = 86_400.0
    name: Msgid = ""
    runbook: str = ""

    @property
    def is_above(self) -> bool:
        """True if the alert fires above the limit, False if below."""
        return self.above is not None

    @property
    def limit(self) -> float:
        """The limit, in the signal's unit."""
        limit = self.above if self.above is not None else self.below
        assert limit is not None  # noqa: S101 - the check of alerts.toml demands one
        return limit

    @property
    def clear_limit(self) -> float:
        """The value at which the alert recovers, in the signal's unit."""
        return self.limit if self.clear is None else self.clear


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[receiver]]`: a person or a group, and the address for notices.

    Attributes:
        url: address without a secret, e.g.
            `mailto://mail.example.org?from=alerts@example.org&to=office@example.org`; None if the
            address is in a file or in the environment.
        url_file: file with an address that contains a secret, relative to the site's folder.
        language: language of the texts; None for the language of the site.
    """

    id: _Id
    url: str | None = None
    url_file: str | None = None
    language: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A row `[[route]]`: which notices go to which receivers. All routes that match are used.

    Attributes:
        receiver: ids of receivers.
        severity: severities; empty for all.
        area: areas, with all areas within them; empty for all.
        medium: media; empty for all.
        digest: time of day at which notices are sent together; None to send each at once.
        quiet: False to send in quiet hours too.
    """

    id: _Id
    receiver: tuple[str, ...]
    severity: tuple[Severity, ...] = ()
    area: tuple[str, ...] = ()
    medium: tuple[Medium, ...] = ()
    digest: _ClockTime | None = None
    quiet: bool = True


class Maintenance(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A row `[[maintenance]]`: a time in which no notices are sent about some subjects.

    Attributes:
        from_: start; local to the site if the file gives no offset, with an offset once loaded.
        to: end; local to the site if the file gives no offset, with an offset once loaded.
        rule, area, meter, bus, agent: ids that the maintenance concerns; if all are empty, it
            concerns all alerts.
        reason: reason, shown to users.
    """

    id: _Id
    from_: datetime
    to: datetime
    rule: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    meter: tuple[str, ...] = ()
    bus: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    reason: str


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[grouping]`: which events share a notice.

    Attributes:
        wait_s: time for which a new notice waits for others of its group [s].
        flap_count: number of firings within `flap_s` from which on an alert flaps. A flapping alert
            gets one notice, and no further notice until it has not fired for `flap_s`.
        flap_s: the time span for `flap_count` [s].
    """

    wait_s: _Seconds = 5.0
    flap_count: Annotated[int, Meta(ge=2)] = 4
    flap_s: _Seconds = 7200.0


class AlertsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The form of `alerts.toml`."""

    rule: tuple[AlertRule, ...] = ()
    receiver: tuple[Receiver, ...] = ()
    route: tuple[Route, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    hours: Hours | None = None
    grouping: Grouping | None = None


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a site: the packaged rules, merged with the site's `alerts.toml`.

    Attributes:
        rules: the enabled rules.
        disabled: rules that are switched off.
        hours: the working calendar.
        grouping: which events share a notice.
    """

    rules: tuple[AlertRule, ...]
    disabled: tuple[AlertRule, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    hours: Hours = Hours()
    grouping: Grouping = Grouping()
