"""Play a case from the field: values of signals in, notices out, with simulated time.

A case is a folder of `cases/`:

- `case.toml`: the site, the span of time, the values of each rule's signal, and what else happens:
  outages, marks, changed files, restarts, crashes, clocks that are put back (`case_file`);
- `alerts.toml`: the site's rules;
- `notices.txt`: the expected notices, one in each line (`notice_lines`). The command `python -m
  tests.analytics.alerts.case_player NAME...` writes the present notices.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.alerts.alert import Alert, AlertMark, Notice, SignalValues
from analytics.alerts.alert_files import load_alert_rules
from analytics.alerts.alert_rule import AlertRule
from analytics.alerts.evaluation import advance
from analytics.alerts.planning.notice_plan import NoticePlanner
from analytics.alerts.planning.notice_state import is_open
from analytics.alerts.signals.sampling import Readings, SignalInput, steps_of
from analytics.alerts.signals.signal_table import FUNCTIONS, SampledSignal
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.pipeline.alerting.alert_points import alert_from_fields, alert_point
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import Site
from tests.analytics.alerts.case_file import OutageRow, SeriesRow, read_case
from tests.analytics.alerts.notice_lines import line_of
from tests.analytics.alerts.series_text import fill, span_ms, time_ms

if TYPE_CHECKING:
    from numpy.typing import NDArray

CASES: Final = Path(__file__).parent / "cases"
_UNKNOWN_MS: Final = 2**62
#: Time after a round at which those notices are planned that wait for others of their group [ms];
#: rounds of cases that last for days are farther apart than those of the service.
_WAIT_MS: Final = 10_000


class Sent(msgspec.Struct, frozen=True):
    """A notice and the time at which it was sent, by the clock of the service."""

    notice: Notice
    at_ms: int


class CasePlayer:
    """A case that is played round by round.

    Args:
        folder: folder of the case.
    """

    def __init__(self, folder: Path) -> None:
        self.case = read_case(folder)
        self._folder = folder
        self._sites = (folder / "site.toml", CASES / "sites" / self.case.site)
        self.site = self._site(folder)
        self.rules = load_alert_rules(folder, self.site)
        self._calendar = WorkingCalendar(self.rules.hours, self.site.zone)
        self._planner = NoticePlanner(self.rules, self.site, self._calendar)
        self._year = int(self.case.start[:4])
        self._series = {
            rule: _Series(self, [row for row in self.case.series if row.rule == rule])
            for rule in dict.fromkeys(row.rule for row in self.case.series)
        }
        self._alerts: dict[str, Alert] = {}
        self._marks: list[AlertMark] = []

    def ms(self, text: str) -> int:
        """Return a time of the case [UTC, ms]."""
        return time_ms(text, self._year, self.site.zone)

    def play(self) -> list[Sent]:
        """Return the notices of the case, in the order in which they are sent."""
        case, sent = self.case, dict[str, Sent]()
        start, end, every = self.ms(case.start), self.ms(case.until), span_ms(case.every)
        down = [(self.ms(row.from_), self.ms(row.to)) for row in case.down]
        crashes = {self.ms(one) for one in case.crash}
        clocks = [(self.ms(row.at), span_ms(row.shift)) for row in case.clock]
        previous = start - 1
        for real_ms in range(start, end + 1, every):
            if any(one <= real_ms < other for one, other in down):
                continue
            now_ms = real_ms + ([0] + [shift for at, shift in clocks if at <= real_ms])[-1]
            self._happen(previous, real_ms)
            notices, alerts = self._round(real_ms, now_ms)
            for notice in notices:  # the outbox knows each id once
                sent.setdefault(notice.id, Sent(notice, now_ms))
            if real_ms not in crashes:
                self._alerts = alerts
            previous = real_ms
            if every > _WAIT_MS and any(map(is_open, self._alerts.values())):
                later_ms = now_ms + _WAIT_MS
                notices, self._alerts = self._plan(self._alerts, self._alerts, (), later_ms)
                for notice in notices:
                    sent.setdefault(notice.id, Sent(notice, later_ms))
        return list(sent.values())

    def lines(self, sent: Sequence[Sent]) -> str:
        """Return notices as the lines of `notices.txt`."""
        return "".join(f"{line_of(one.notice, one.at_ms, self.site.zone)}\n" for one in sent)

    def rule(self, rule_id: str) -> AlertRule:
        """Return a rule."""
        return next(rule for rule in self.rules.rules if rule.id == rule_id)

    def _site(self, folder: Path) -> Site:
        path = next(path for path in (folder / "site.toml", *self._sites) if path.exists())
        return msgspec.toml.decode(path.read_bytes(), type=Site)

    def _happen(self, previous_ms: int, now_ms: int) -> None:
        """Apply the events of the case since the last round."""

        def is_now(text: str) -> bool:
            return previous_ms < self.ms(text) <= now_ms

        for change in self.case.change:
            if is_now(change.at):
                folder = self._folder / change.folder
                self.site = self._site(folder)
                self.rules = load_alert_rules(folder, self.site)
                self._calendar = WorkingCalendar(self.rules.hours, self.site.zone)
                self._planner = NoticePlanner(self.rules, self.site, self._calendar)
        for mark in self.case.mark:
            if is_now(mark.at):
                at_ms, alert = self.ms(mark.at), self._alerts.get(f"{mark.rule}/{mark.subject}")
                until_ms = self.ms(mark.until) if mark.until else 0
                if mark.kind == "ack" and alert is not None:
                    until_ms = alert.since_ms
                self._marks.append(
                    AlertMark(
                        kind=mark.kind,
                        rule=mark.rule,
                        subject=mark.subject,
                        by=mark.by,
                        at_ms=at_ms,
                        until_ms=until_ms,
                    )
                )
        if any(is_now(one) for one in self.case.restart):
            self._alerts = stored_and_read(self._alerts)

    def _round(self, real_ms: int, now_ms: int) -> tuple[tuple[Notice, ...], dict[str, Alert]]:
        """Return the notices of a round, and the alerts after it."""
        before, after, episodes = self._alerts, dict(self._alerts), list[Alert]()
        for rule in self.rules.rules:
            series = self._series.get(rule.id)
            if series is None:
                continue
            states = {
                subject: before[key]
                for subject in series.subjects
                if (key := f"{rule.id}/{subject}") in before
            }
            values = series.at(real_ms, {one: state.seen_ms for one, state in states.items()})
            watched = self._calendar.is_watched(rule.when, values.times_ms)
            values.values[:, ~watched] = np.nan
            evaluation = advance(rule, states, values)
            after.update((alert.key, alert) for alert in evaluation.alerts.values())
            episodes += evaluation.episodes
        return self._plan(before, after, episodes, now_ms)

    def _plan(
        self,
        before: Mapping[str, Alert],
        after: Mapping[str, Alert],
        episodes: Sequence[Alert],
        now_ms: int,
    ) -> tuple[tuple[Notice, ...], dict[str, Alert]]:
        """Return the notices that are due, and the alerts after these."""
        planned = self._planner.plan(before, after, self._marks, now_ms, episodes)
        if planned[0]:
            other = NoticePlanner(self.rules, self.site, self._calendar)
            again = other.plan(before, after, self._marks, now_ms, episodes)
            assert again[0] == planned[0], "two copies plan the same notices"
        return planned


class _Series:
    """The values of a rule for all of its subjects over a whole case."""

    def __init__(self, player: CasePlayer, rows: Sequence[SeriesRow]) -> None:
        case, first = player.case, rows[0]
        self.is_replacement = first.anew
        self.subjects = tuple(dict.fromkeys(one for row in rows for one in row.subject))
        start, end = player.ms(first.first or case.start), player.ms(case.until)
        self.times_ms = _steps(start, end, first.step or case.every, player.site)
        shape = len(self.subjects), self.times_ms.size
        self._layers = []
        for row in rows:
            values, known = np.full(shape, np.nan), np.full(shape, _UNKNOWN_MS)
            one = np.full(self.times_ms.size, np.nan)
            covered = fill(one, self.times_ms, row.values, int(case.start[:4]), player.site.zone)
            if row.readings:
                one = signal_values(player.rule(row.rule), self.times_ms, one)
            known_ms = self.times_ms + span_ms(row.known_after)
            if row.known:
                known_ms = np.full(self.times_ms.size, player.ms(row.known))
            for index in [self.subjects.index(subject) for subject in row.subject]:
                values[index, covered] = one[covered]
                known[index, covered] = known_ms[covered]
                for outage in case.outage:
                    if self.subjects[index] in outage.subject:
                        self._arrive_late(player, outage, known[index])
            self._layers.append((values, known))

    def _arrive_late(
        self, player: CasePlayer, outage: OutageRow, known_ms: "NDArray[np.int64]"
    ) -> None:
        """Write the times at which the readings of an outage become known."""
        start, end = player.ms(outage.from_), player.ms(outage.to)
        arrived = end + span_ms(outage.drain)
        share = (self.times_ms - start) / (arrived - start)
        known = np.maximum(self.times_ms, end + share * (arrived - end)).astype(np.int64)
        is_late = (self.times_ms >= start) & (self.times_ms < arrived)
        known_ms[is_late] = known[is_late]

    def at(self, now_ms: int, seen_ms: Mapping[str, int]) -> SignalValues:
        """Return the known values: all if the past is evaluated again, else the new steps."""
        begin, end = 0, int(np.searchsorted(self.times_ms, now_ms, side="right"))
        if not self.is_replacement:
            seen = min(seen_ms.get(subject, 0) for subject in self.subjects)
            begin = min(end, int(np.searchsorted(self.times_ms, seen, side="right")))
        values = np.full((len(self.subjects), end - begin), np.nan)
        for layer, known_ms in self._layers:
            known = known_ms[:, begin:end] <= now_ms
            values[known] = layer[:, begin:end][known]
        return SignalValues(self.subjects, self.times_ms[begin:end], values, self.is_replacement)


def _steps(start_ms: int, end_ms: int, step: str, site: Site) -> "NDArray[np.int64]":
    """Return the times of the steps; a step of `1d` keeps its time of day."""
    if step != "1d":
        return np.arange(start_ms, end_ms + 1, span_ms(step), dtype=np.int64)
    first = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(site.zone)
    days = (first + timedelta(days=day) for day in range((end_ms - start_ms) // 86_400_000 + 2))
    times = [round(day.timestamp() * 1000) for day in days]
    return np.array([one for one in times if one <= end_ms], np.int64)


def signal_values(
    rule: AlertRule, times_ms: "NDArray[np.int64]", readings: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Return the values of a signal of readings, which come once a step.

    Args:
        rule: the rule.
        times_ms: the steps.
        readings: the readings; NaN where there is none.
    """
    signal, step_ms = FUNCTIONS[rule.signal], int(times_ms[1] - times_ms[0])
    assert isinstance(signal, SampledSignal)
    assert rule.quantity is not None
    is_read = ~np.isnan(readings)
    rows = np.zeros(int(is_read.sum()), np.int64)
    steps = steps_of(times_ms, step_ms)
    given = SignalInput(
        Readings(rows, times_ms[is_read], steps[is_read], (readings[is_read],)),
        steps,
        step_ms,
        np.array([step_ms * 5 // 2], np.int64),
        np.zeros(1, np.int64),
        1,
        is_above=rule.is_above,
        is_counter=QUANTITIES[rule.quantity].kind == "counter",
    )
    values: NDArray[np.float64] = signal.function(given)[0]
    return values


def stored_and_read(alerts: Mapping[str, Alert]) -> dict[str, Alert]:
    """Return alerts as a restarted service reads them."""
    points = ((key, alert_point("centre", alert, 0)) for key, alert in alerts.items())
    return {key: alert_from_fields(dict(point.tags), dict(point.fields)) for key, point in points}


def main(names: Sequence[str]) -> None:
    """Write the notices of cases to their files."""
    for name in names:
        player = CasePlayer(CASES / name)
        lines = player.lines(player.play())
        (CASES / name / "notices.txt").write_text(lines, encoding="utf-8")
        print(f"== {name}: {player.case.title}\n{lines}", end="")


if __name__ == "__main__":
    main(sys.argv[1:] or sorted(path.parent.name for path in CASES.glob("*/case.toml")))
