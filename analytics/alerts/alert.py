"""Define signals, alerts and notices as values: what passes between the rooms of the alerts.

Pure: no clock, no file.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from analytics.alerts.alert_rule import Severity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Phases of an alert, with their numbers in the store.
Phase = Literal["inactive", "pending", "firing"]
PHASES: Final[tuple[Phase, ...]] = ("inactive", "pending", "firing")

#: Events that a notice tells: the alert fired, recovered, still fires (`reminder`), fires again and
#: again (`flapping`), fired and recovered before a notice was sent (`passed`), had no reason, as
#: late readings showed (`withdrawn`), or is no longer watched because its rule, meter or area was
#: removed (`unwatched`).
Event = Literal["fired", "recovered", "reminder", "flapping", "passed", "withdrawn", "unwatched"]

#: Ways in which an episode ends, with their numbers in the store; the first is an alert that has
#: never fired.
End = Literal["", "recovered", "withdrawn", "unwatched"]
ENDS: Final[tuple[End, ...]] = ("", "recovered", "withdrawn", "unwatched")


class SignalValues(msgspec.Struct, frozen=True):
    """The values of a signal for its subjects, on a common grid of times.

    A subject has values in its own time: from the step after its last evaluated one up to its
    newest reading. Outside of that its values are NaN, which says nothing about the signal. A NaN
    before a known value of the same subject is a gap.

    Attributes:
        subjects: ids of the subjects, shape (m,).
        times_ms: ends of the steps, int64, shape (n,), ascending [UTC, ms].
        values: float64, shape (m, n), in the signal's unit. NaN: not known at this time, or not to
            be watched (a rule for working hours is not evaluated at night). A value holds until the
            next reading was due; after that it is NaN.
        is_anew: True if the values replace those that were evaluated before for the same times,
            because late data may have changed them. False if they continue them: a time that was
            evaluated is not evaluated again.
    """

    subjects: tuple[str, ...]
    times_ms: "NDArray[np.int64]"
    values: "NDArray[np.float64]"
    is_anew: bool = False


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a rule for one subject.

    Attributes:
        rule: id of the rule.
        signal: name of the rule's signal.
        subject: id of the subject, see `SubjectKind`.
        severity: severity of the rule.
        phase: `inactive`, `pending` (beyond the limit, not yet for long enough) or `firing`.
        value: last known value, in the signal's unit; NaN if none is known.
        limit: the rule's limit, in the signal's unit.
        peak: value that was farthest beyond the limit since `since_ms`; NaN while inactive.
        since_ms: time from which on the signal has been beyond the limit [UTC, ms]; 0 while
            inactive. It is also the number of the episode: an alert that fires again has another.
        fired_ms: time at which the alert fired [UTC, ms]; 0 if it does not fire.
        ended_ms: time at which the last episode ended [UTC, ms]; 0 if it has not.
        seen_ms: time of the last evaluated value [UTC, ms].
        back_ms: time from which on the signal of a firing alert has been back at `clear_limit`
            [UTC, ms]; 0 if it is not.
        missing_ms: first time after `seen_ms` at which no value was known [UTC, ms]; 0 if none.
        end: how the last episode ended; empty while the alert fires.
        known_ms: time at which the last firing or recovery was first known [UTC, ms]; a backlog
            brings readings long after their own times.
        told: severity with which the receivers were told that the alert fires; empty if they were
            not, or if the end was told to them, too.
        noticed_ms: `fired_ms` of the last episode that was told.
        reminded_ms: time of the last notice or reminder [UTC, ms]; negative if a reminder is due
            as soon as a silence ends.
        fires: times at which the alert fired within the last `flap_s`, at most `flap_count` of
            them, ascending [UTC, ms].
        flapping_ms: time from which on the alert is reported as flapping [UTC, ms]; 0 if it is not.
        held: number of episodes that are over and were not told yet.
        held_since_ms: start of the first of these [UTC, ms].
        held_ended_ms: end of the last of these [UTC, ms].
        held_peak: value that was farthest beyond the limit in these; NaN without any.
        held_late: True if these were over long before their readings came in.
        acknowledged_by: name of the person who acknowledged this episode; empty if nobody did.
        silenced: True while a silence or a maintenance holds back notices about the alert.
        caused_by: `rule/subject` of the firing alert that explains this one; empty without one.
    """

    rule: str
    signal: str
    subject: str
    severity: Severity
    phase: Phase
    value: float
    limit: float
    peak: float
    since_ms: int
    fired_ms: int
    ended_ms: int = 0
    seen_ms: int = 0
    back_ms: int = 0
    missing_ms: int = 0
    end: End = ""
    known_ms: int = 0
    told: Severity | Literal[""] = ""
    noticed_ms: int = 0
    reminded_ms: int = 0
    fires: tuple[int, ...] = ()
    flapping_ms: int = 0
    held: int = 0
    held_since_ms: int = 0
    held_ended_ms: int = 0
    held_peak: float = math.nan
    held_late: bool = False
    acknowledged_by: str = ""
    silenced: bool = False
    caused_by: str = ""

    @property
    def key(self) -> str:
        """`rule/subject`, which identifies the alert in the site."""
        return f"{self.rule}/{self.subject}"


class Evaluation(msgspec.Struct, frozen=True):
    """Result of an evaluation: the alerts of a rule after some steps.

    Attributes:
        alerts: the alerts by subject, those of subjects without values included.
        episodes: episodes that ended within the steps, in the order of their subjects and times:
            alerts of the phase `inactive` that keep `since_ms`, `fired_ms` and `peak`.
    """

    alerts: Mapping[str, Alert]
    episodes: tuple[Alert, ...]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message about one or several alerts of one rule.

    Attributes:
        id: the same for the same event in each copy of the service, however often it is computed.
        event: what happened.
        rule: id of the rule.
        severity: severity of the rule.
        group: id of what the alerts have in common: an agent, a bus or an area.
        alerts: the alerts, the worst first.
        consequences: alerts that these explain, and that get no notice of their own; while a bus or
            an agent fires, also those of meters that are silent since then, too short to fire.
        at_ms: time of the event [UTC, ms].
        is_late: True if the event was over before its readings came in.
        times: number of times that an alert fired, of a `flapping` or a `passed` one.
    """

    id: str
    event: Event
    rule: str
    severity: Severity
    group: str
    alerts: tuple[Alert, ...]
    consequences: tuple[Alert, ...] = ()
    at_ms: int
    is_late: bool = False
    times: int = 1


class AlertMark(msgspec.Struct, frozen=True, kw_only=True):
    """A person's acknowledgement of an episode, or a silence: a point of `alert_mark`.

    Attributes:
        kind: `ack` or `silence`.
        rule: id of the rule; `*` for all.
        subject: id of the subject, or of a bus, an agent or an area that it belongs to; `*` for
            all.
        by: name of the person.
        at_ms: time at which the mark was made [UTC, ms].
        until_ms: end of a silence [UTC, ms]; of an acknowledgement, `since_ms` of the episode.
        reason: reason that the person gave.
    """

    kind: Literal["ack", "silence"]
    rule: str
    subject: str
    by: str
    at_ms: int
    until_ms: int
    reason: str = ""
