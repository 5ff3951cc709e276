"""Readings of several rows, as tests write them."""

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.alerts.signals.sampling import Readings, SignalInput, joined, steps_of

#: Readings of each row: (time [s], value), or (time [s], value of each field).
Rows = Mapping[int, Sequence[tuple[float, ...]]]

NAN = float("nan")


def flat(rows: Rows, step_s: float = 10.0) -> Readings:
    """Return readings as signals take them."""
    parts = []
    for row, readings in rows.items():
        times = np.array([round(one[0] * 1000) for one in readings], dtype=np.int64)
        steps = steps_of(times, round(step_s * 1000))
        columns = tuple(
            np.array(column, dtype=np.float64) for column in zip(*readings, strict=True)
        )[1:]
        parts.append(Readings(np.full(len(times), row), times, steps, columns))
    return joined(parts)


def given(
    rows: Rows,
    steps: range,
    *,
    hold_s: float = 25.0,
    step_s: float = 10.0,
    subjects: Sequence[int] | None = None,
    is_above: bool = True,
    is_counter: bool = False,
) -> SignalInput:
    """Return the input of a signal: one subject a row, if `subjects` says nothing else."""
    count = max(rows) + 1
    of_rows = np.arange(count) if subjects is None else np.array(subjects)
    return SignalInput(
        flat(rows, step_s),
        np.array(steps, dtype=np.int64),
        round(step_s * 1000),
        np.full(count, round(hold_s * 1000)),
        of_rows,
        int(of_rows.max()) + 1,
        is_above=is_above,
        is_counter=is_counter,
    )
