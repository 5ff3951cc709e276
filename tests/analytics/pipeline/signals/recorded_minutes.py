"""Seven minutes of two meters, two buses and an agent, with rules that watch them."""

import numpy as np

from analytics.alerts.alert import SignalValues
from analytics.alerts.alert_rule import AlertRule
from jieneng.metering.schema import Point
from tests.analytics.pipeline.signals.stored_messages import agent_state, polls, readings

#: Values of each subject by time [UTC, ms].
Cells = dict[tuple[str, int], float]

RULES = (
    AlertRule(id="power", signal="quantity", quantity="power_kw", above=50.0),
    AlertRule(id="low", signal="quantity", quantity="power_kw", below=5.0),
    AlertRule(id="jump", signal="rate", quantity="power_kw", above=50.0),
    AlertRule(id="bus", signal="failed_polls", above=50.0),
    AlertRule(id="spool", signal="spool_age", above=50.0),
    AlertRule(id="silent", signal="reading_age", above=50.0),
    AlertRule(id="agent", signal="agent_age", above=50.0),
)


def note(values: SignalValues, into: Cells) -> None:
    """Add the known values of some subjects; none comes twice."""
    for subject, row in zip(values.subjects, values.values.tolist(), strict=True):
        for time, value in zip(values.times_ms.tolist(), row, strict=True):
            if not np.isnan(value):
                assert (subject, time) not in into
                into[subject, time] = value


def history(seed: int) -> list[tuple[float, list[Point]]]:
    """Return seven minutes of two meters with gaps and jitter, by the time it comes in."""
    noise = np.random.default_rng(seed)
    written = []
    for second in range(0, 450, 10):
        points = [agent_state("agent-1", second + 1, spool_age_s=float(second % 70))]
        for meter in ("a", "b"):
            answers = noise.random() > 0.1 and not (meter == "b" and 150 < second < 300)
            points += polls(meter, [(second + 2, answers)])
            if answers:
                when = second + 2 + float(noise.random())
                points += readings(meter, [(when, float(noise.integers(0, 100)))])
        written.append((second + 4.0, points))
    return written
