"""Series as a case writes them: lines of a time and a shape, which holds until the next line.

    03-02 08:00  constant 3
    03-02 08:30  ramp 3 8
    03-02 09:00  gap

| shape | values |
|---|---|
| `constant V` | V |
| `ramp A B` | from A at this line to B at the next one |
| `noise MEAN SD SEED` | normal noise |
| `wave HIGH LOW PERIOD` | HIGH in the first half of each period, LOW in the second |
| `list V V ...` | one value a step; `-` is missing |
| `age` | seconds since the time of the line, as of a meter that fell silent |
| `gap` | none |

Times are local to the site; `Z` behind a time makes it UTC. A span is `90s`, `10m`, `6h` or `2d`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_Steps = NDArray[np.int64]
_Values = NDArray[np.float64]

_SPAN_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def span_ms(text: str) -> int:
    """Return a span of time such as `10m` [ms]."""
    sign = -1 if text.startswith("-") else 1
    return sign * round(float(text.strip("-")[:-1]) * _SPAN_S[text[-1]] * 1000)


def time_ms(text: str, year: int, zone: ZoneInfo) -> int:
    """Return a time such as `03-02 08:30` or `2025-12-31 08:30:10` [UTC, ms]."""
    is_utc = text.endswith("Z")
    full = text.rstrip("Z") if re.match(r"\d{4}-", text) else f"{year}-{text.rstrip('Z')}"
    local = datetime.fromisoformat(full).replace(tzinfo=UTC if is_utc else zone)
    return round(local.timestamp() * 1000)


def _floats(arguments: list[str]) -> list[float]:
    return [float(one) if one != "-" else np.nan for one in arguments]


def _constant(steps: _Steps, _: int, __: int, text: list[str]) -> _Values:
    return np.full(steps.size, float(text[0]))


def _ramp(steps: _Steps, start: int, end: int, text: list[str]) -> _Values:
    first, last = _floats(text)
    return first + (last - first) * (steps - start) / (end - start)


def _noise(steps: _Steps, _: int, __: int, text: list[str]) -> _Values:
    mean, deviation, seed = _floats(text)
    return np.random.default_rng(int(seed)).normal(mean, deviation, steps.size)


def _wave(steps: _Steps, start: int, _: int, text: list[str]) -> _Values:
    high, low = _floats(text[:2])
    period = span_ms(text[2])
    return np.where((steps - start) % period < period / 2, high, low)


def _list(steps: _Steps, _: int, __: int, text: list[str]) -> _Values:
    values = np.full(steps.size, np.nan)
    values[: len(text)] = _floats(text)[: steps.size]
    return values


def _age(steps: _Steps, start: int, _: int, __: list[str]) -> _Values:
    return (steps - start) / 1000


def _gap(steps: _Steps, _: int, __: int, ___: list[str]) -> _Values:
    return np.full(steps.size, np.nan)


_SHAPES: Final[dict[str, Callable[[_Steps, int, int, list[str]], _Values]]] = {
    "constant": _constant,
    "ramp": _ramp,
    "noise": _noise,
    "wave": _wave,
    "list": _list,
    "age": _age,
    "gap": _gap,
}


def fill(
    values: _Values,
    times_ms: _Steps,
    text: str,
    year: int,
    zone: ZoneInfo,
) -> NDArray[np.bool_]:
    """Write the values of a series to an array, and return True for the steps that it covers."""
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    starts = [time_ms(f"{day} {clock}", year, zone) for day, clock, *_ in lines]
    covered = np.zeros(times_ms.size, np.bool_)
    for (_, _, shape, *arguments), start, end in zip(
        lines, starts, [*starts[1:], int(times_ms[-1]) + 1], strict=True
    ):
        span = (times_ms >= start) & (times_ms < end)
        if shape == "until":  # the series ends here
            continue
        if span.any():
            values[span] = _SHAPES[shape](times_ms[span], start, end, arguments)
        covered |= span
    return covered
