"""Grammar of times of day. Pure.

    0:15   00:15:30.250   24:00   3:15 PM   下午3:15   8时15分   T0015   each also with +08:00

Laws:

1. 24:00 is the end of a day. Later times such as 24:01 are refused.
2. With AM, PM, 上午 or 下午, hours are 1 to 12. But 下午13:00 is also accepted, as 13:00.
"""

import re
from datetime import timedelta
from typing import Final, NamedTuple

_HALVES: Final = {
    **dict.fromkeys(("am", "a.m.", "上午", "凌晨", "早上", "清晨"), 0),
    **dict.fromkeys(("pm", "p.m.", "下午", "晚上", "傍晚", "中午"), 12),
}
_HALF: Final = "|".join(sorted(map(re.escape, _HALVES), key=len, reverse=True))
_CLOCK: Final = re.compile(
    rf"(?P<before>{_HALF})?\s*(?P<hour>\d{{1,2}})"
    r"(?:\s*(?::\s*(?=\d)|[时点]\s*)"  # minutes must follow a colon, but not 时 or 点
    r"(?:(?P<minute>\d{1,2})(?:分|(?!\d))"
    r"(?::?(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?秒?)?)?"
    r"|(?=\s*[ap]\.?m))"  # 8 PM
    rf"\s*(?P<after>{_HALF})?",
    re.IGNORECASE,
)
_COMPACT: Final = re.compile(r"(?P<hour>\d{2})(?:(?P<minute>\d{2})(?P<second>\d{2})?)?")
_OFFSET: Final = re.compile(r"\s*(?:Z|(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?)$", re.IGNORECASE)
_DAY_MS: Final = 86_400_000


class ClockText(NamedTuple):
    """Time of day.

    Attributes:
        after_midnight_ms: time since midnight; 24 hours for the end of the day.
        offset: offset from UTC; None for local time.
    """

    after_midnight_ms: int
    offset: timedelta | None


def parse_clock(text: str, *, compact: bool = False) -> ClockText | None:
    """Return the time of day in a text; None if the text is not a time of day.

    Args:
        text: text in plain characters, without surrounding spaces.
        compact: True to accept 0015, or an hour alone, without a sign.
    """
    offset, bare = _split_offset(text)
    found = _CLOCK.fullmatch(bare) or (_COMPACT.fullmatch(bare) if compact else None)
    if found is None:
        return None
    parts = found.groupdict()
    hour = _hour(int(parts["hour"]), parts.get("before"), parts.get("after"))
    minute, second = int(parts["minute"] or 0), int(parts["second"] or 0)
    if hour is None or minute > 59 or second > 59:
        return None
    ms = ((hour * 60 + minute) * 60 + second) * 1000
    if fraction := parts.get("fraction"):
        ms += round(float(f"0.{fraction}") * 1000)
    return ClockText(ms, offset) if ms <= _DAY_MS else None


def _hour(hour: int, before: str | None, after: str | None) -> int | None:
    """Return the hour, 0 to 24; None if it is invalid."""
    if before and after:
        return None
    name = (before or after or "").casefold()
    half = _HALVES.get(name)
    if half is None:
        return hour if hour <= 24 else None
    if half == 12 and 12 < hour < 24:
        return hour
    if hour > 12 or (hour == 12 and name == "晚上"):  # 晚上12点 can mean noon or midnight
        return None
    return hour % 12 + half


def _split_offset(text: str) -> tuple[timedelta | None, str]:
    found = _OFFSET.search(text)
    if found is None:
        return None, text
    sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return (-offset if sign == "-" else offset), text[: found.start()]
