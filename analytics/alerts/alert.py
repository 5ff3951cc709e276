"""Define the structs that the modules of the alerts exchange: signal values, alerts, notices.

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

#: Events of an alert that a notice can be about: the alert fired, recovered, still fires
#: (`reminder`), fires again and again (`flapping`), fired and recovered before a notice was sent
#: (`passed`), was wrong according to late readings (`withdrawn`), or is no longer watched because
#: its rule, meter or area was removed (`unwatched`).
Event = Literal["fired", "recovered", "reminder", "flapping", "passed", "withdrawn", "unwatched"]

#: Ways in which an episode ends, with their numbers in the store. The empty text means that no
#: episode has ended.
End = Literal["", "recovered", "withdrawn", "unwatched"]
ENDS: Final[tuple[End, ...]] = ("", "recovered", "withdrawn", "unwatched")


class SignalValues(msgspec.Struct, frozen=True):
    """The values of a signal for its subjects, on a common grid of times.

    Each subject has values for a time span of its own: from the step after its last evaluated step
    up to its newest reading. Outside of this span its values are NaN, which means that they are not
    evaluated. A NaN before a known value of the same subject is a gap in the readings.

    Attributes:
        subjects: ids of the subjects, shape (m,).
        times_ms: ends of the steps, int64, shape (n,), ascending [UTC, ms].
        values: float64, shape (m, n), in the signal's unit. NaN: the value is unknown, or the
            rule is not evaluated at this time (a rule for working hours is not evaluated at night).
            A reading is valid until the next reading is due; after that the value is NaN.
        is_replacement: True if the values replace earlier values of the same times, because late
            data may have changed these. False if the values continue the earlier values: then a
            step that was evaluated is not evaluated again.
    """

    subjects: tuple[str, ...]
    times_ms: "NDArray[np.int64]"
    values: "NDArray[np.float64]"
    is_replacement: bool = False


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a rule for one subject.

    Words of the alerts:

    - A value is beyond the limit if it is above the limit of a rule with `above`, or below the
      limit of a rule with `below`. A value is back if it is at `clear_limit` or on its safe side.
    - An episode lasts from the first value beyond the limit until the alert recovers, is withdrawn
      or is no longer watched. Only episodes in which the alert fired are kept.
    - An event is announced when its notice is made. Sending the notice is a later step.
    - An ended episode is held until its end is announced. It is dropped, without a notice, if its
      firing was not announced and the alert is silenced or explained.
    - An alert explains another alert if it is the cause of the other one: the alert of a dead bus
      explains the alerts of its silent meters. An explained alert is listed in the notice of its
      cause, and gets no notice of its own. See `analytics.alerts.planning.causes`.
    - An alert flaps if it fires again and again: `flap_count` times within `flap_s`.
    - The notice record of an alert says which of its events were announced, and which are still to
      be announced: the fields `told`, `noticed_ms`, `reminded_ms`, `fires`, `flapping_ms` and
      `held` to `held_late`.

    Attributes:
        rule: id of the rule.
        signal: name of the rule's signal.
        subject: id of the subject, see `SubjectKind`.
        severity: severity of the rule.
        phase: `inactive`, `pending` (beyond the limit, but for less than `for_s`) or `firing`.
        value: last known value, in the signal's unit; NaN if none is known.
        limit: the rule's limit, in the signal's unit.
        peak: value that was farthest beyond the limit since `since_ms`; NaN while inactive.
        since_ms: time from which on the signal has been beyond the limit [UTC, ms]; 0 while
            inactive. This time also identifies the episode.
        fired_ms: time at which the alert fired [UTC, ms]; 0 if it does not fire.
        ended_ms: time at which the last episode ended [UTC, ms]; 0 if it has not.
        seen_ms: time of the last evaluated value [UTC, ms].
        back_ms: time from which on the signal of a firing alert has been back [UTC, ms]; 0 if the
            signal is not back.
        missing_ms: first time after `seen_ms` at which no value was known [UTC, ms]; 0 if none.
        end: how the last episode ended; empty while the alert fires.
        known_ms: time at which the service found the last firing or recovery [UTC, ms]. It is much
            later than the event if the readings came from a backlog.
        told: severity in the notice that announced the firing; empty without such a notice, or
            after the end of the episode was announced.
        noticed_ms: `fired_ms` of the last episode that was announced [UTC, ms].
        reminded_ms: time of the last notice or reminder [UTC, ms]; negative if a reminder is due
            as soon as a silence ends.
        fires: times at which the alert fired within the last `flap_s`, at most `flap_count` of
            them, ascending [UTC, ms].
        flapping_ms: time from which on the alert flaps [UTC, ms]; 0 if it does not flap.
        held: number of ended episodes whose ends were not announced yet.
        held_since_ms: start of the first held episode [UTC, ms].
        held_ended_ms: end of the last held episode [UTC, ms].
        held_peak: value that was farthest beyond the limit in the held episodes; NaN if none is
            held.
        held_late: True if the held episodes ended long before their readings came in.
        acknowledged_by: name of the person who acknowledged this episode; empty if nobody did.
        silenced: True while a silence or a maintenance suppresses notices about the alert.
        caused_by: `rule/subject` of the alert that explains this alert; empty if no alert does.
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
        alerts: the alerts by subject, also of subjects without values.
        episodes: episodes that ended within the steps, ordered by subject and time. An episode is
            an alert of the phase `inactive` that keeps `since_ms`, `fired_ms` and `peak`.
    """

    alerts: Mapping[str, Alert]
    episodes: tuple[Alert, ...]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message about one or several alerts of one rule.

    Attributes:
        id: identifies the event. Each copy of the service computes the same id for an event.
        event: kind of the event.
        rule: id of the rule.
        severity: severity of the rule.
        group: id of the place that the alerts share: a bus, an agent, an area or the site.
        alerts: the alerts, the worst first.
        consequences: alerts that `alerts` explain. In the notice of a dead bus or agent, also the
            alerts of its meters that have been silent since then and do not fire yet.
        at_ms: time of the event [UTC, ms].
        is_late: True if the episode ended before its readings came in.
        times: number of times that the alert fired, for the events `flapping` and `passed`.
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
        subject: id of the subject, or of the bus, agent or area that the subject belongs to; `*`
            for all.
        by: name of the person.
        at_ms: time at which the mark was made [UTC, ms].
        until_ms: end of the silence [UTC, ms]; for an acknowledgement, `since_ms` of the episode.
        reason: reason that the person gave; empty without one.
    """

    kind: Literal["ack", "silence"]
    rule: str
    subject: str
    by: str
    at_ms: int
    until_ms: int
    reason: str = ""
