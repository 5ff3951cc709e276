"""Keep the notice record of an alert: the events that were announced.

Pure: the time is an argument.

The notice record is a part of the alert (see `Alert`), so it is stored with the alert and survives
restarts.

Laws:

1. Notices depend on the notice record, not on a change between two rounds. An event that could not
   be announced in a round, because of quiet hours, a silence or a restart, is announced in a later
   round.
2. An episode enters the notice record only once, even if it is passed in again: its `fired_ms` must
   be later than the last one in the record.
"""

import math
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from analytics.alerts.alert import Alert
from analytics.alerts.alert_rule import Grouping

#: An episode is late if it was found more than this time after its end [ms]. The longest polling
#: interval in use is 15 minutes.
LATE_MS: Final = 1_200_000
#: If a stored time is farther in the future than this, the clock was put back [ms].
_CLOCK_MS: Final = 600_000
#: Signals whose steps have times of this machine's clock.
_BY_CLOCK: Final = frozenset(("reading_age", "agent_age", "ingest_age"))


def is_open(alert: Alert) -> bool:
    """Return True if an alert fires or flaps, or an end is still to be announced."""
    return bool(alert.phase == "firing" or alert.told or alert.held or alert.flapping_ms)


def with_new_events(
    alert: Alert, episodes: Sequence[Alert], grouping: Grouping, now_ms: int
) -> Alert:
    """Return an alert with its new firings and ended episodes entered in its notice record.

    Args:
        alert: the alert after an evaluation.
        episodes: its episodes that ended within that evaluation, in the order of time.
        grouping: table `[grouping]`.
        now_ms: the time [UTC, ms].
    """
    alert = _with_sane_times(alert, now_ms)
    for episode in episodes:
        alert = _add_end(alert, episode, now_ms)
    if alert.phase == "firing":
        alert = _add_fire(alert, alert.fired_ms, now_ms)
    if alert.end != "unwatched":
        alert = _with_flapping(alert, grouping, now_ms)
    if alert.silenced or alert.caused_by:
        alert = drop_unannounced(alert)
    return alert


def drop_unannounced(alert: Alert) -> Alert:
    """Return an alert without its held episodes, if their firing was never announced."""
    return alert if alert.told or not alert.held else without_held(alert)


def without_held(alert: Alert) -> Alert:
    """Return an alert without held episodes, because they are announced or dropped."""
    return replace(
        alert, held=0, held_since_ms=0, held_ended_ms=0, held_peak=math.nan, held_late=False
    )


def held_episode(alert: Alert) -> Alert:
    """Return an alert with the times and the peak of its held episodes, for a notice."""
    return replace(
        alert,
        phase="inactive",
        since_ms=alert.held_since_ms,
        fired_ms=alert.noticed_ms if alert.told else alert.fires[-1],
        ended_ms=alert.held_ended_ms,
        peak=alert.held_peak,
    )


def is_flapping_unannounced(alert: Alert) -> bool:
    """Return True if an alert flaps and the flapping is not announced yet."""
    return alert.noticed_ms < alert.flapping_ms


def _add_fire(alert: Alert, fired_ms: int, now_ms: int) -> Alert:
    """Return an alert with a firing entered in its notice record, if the firing is new."""
    if alert.fires and fired_ms <= alert.fires[-1]:
        return alert
    is_last_unannounced = bool(alert.fires) and alert.fires[-1] > alert.noticed_ms
    waits = not alert.told and (alert.held or is_last_unannounced)
    return replace(
        alert,
        fires=(*alert.fires, fired_ms),
        known_ms=alert.known_ms if waits and alert.known_ms else now_ms,
    )


def _add_end(alert: Alert, episode: Alert, now_ms: int) -> Alert:
    """Return an alert with an ended episode entered in its notice record."""
    is_new = not alert.fires or episode.fired_ms > alert.fires[-1]
    is_announced = bool(alert.told)
    if not is_announced and episode.end != "recovered":
        return alert
    late = (now_ms if is_new else alert.known_ms) - episode.ended_ms > LATE_MS
    alert = _add_fire(alert, episode.fired_ms, now_ms)
    farthest = min if alert.limit > episode.peak else max
    return replace(
        alert,
        known_ms=now_ms if is_announced else alert.known_ms,
        held=alert.held + 1,
        held_since_ms=alert.held_since_ms or episode.since_ms,
        held_ended_ms=episode.ended_ms,
        held_peak=farthest(
            (one for one in (alert.held_peak, episode.peak) if not math.isnan(one)),
            default=math.nan,
        ),
        held_late=late and (alert.held_late or not alert.held),
    )


def _with_flapping(alert: Alert, grouping: Grouping, now_ms: int) -> Alert:
    """Return an alert with `fires` limited to the last `flap_s`, and `flapping_ms` updated."""
    if not alert.fires:
        return alert
    flap_ms, last_ms = round(grouping.flap_s * 1000), alert.fires[-1]
    recent = tuple(one for one in alert.fires if one > last_ms - flap_ms)[-grouping.flap_count :]
    if now_ms - last_ms >= flap_ms:
        flapping_ms = 0
    elif len(recent) >= grouping.flap_count:
        flapping_ms = alert.flapping_ms or last_ms
    else:
        flapping_ms = alert.flapping_ms
    if (recent, flapping_ms) == (alert.fires, alert.flapping_ms):
        return alert
    return replace(alert, fires=recent, flapping_ms=flapping_ms)


def _with_sane_times(alert: Alert, now_ms: int) -> Alert:
    """Return an alert without times in the future, which it has if the clock was put back.

    Only signals with times of this machine's clock are reset. Readings have times of other clocks.
    """
    seen_ms = alert.seen_ms if alert.signal in _BY_CLOCK else 0
    if max(seen_ms, alert.known_ms, alert.reminded_ms) <= now_ms + _CLOCK_MS:
        return alert
    return replace(
        alert,
        seen_ms=min(seen_ms, now_ms) or alert.seen_ms,
        known_ms=min(alert.known_ms, now_ms),
        reminded_ms=min(alert.reminded_ms, now_ms),
    )


def unwatched_episode(alert: Alert, now_ms: int) -> Alert:
    """Return the episode of a firing alert whose rule or subject was removed."""
    return replace(alert, phase="inactive", ended_ms=now_ms, end="unwatched")
