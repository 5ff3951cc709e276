"""Table of the function of each signal, and of the stored fields that the function needs.

Pure: no clock, no store.

Laws: each row of `jieneng.metering.alert_signals.SIGNALS` has a row here. To add a signal, write a
row in `SIGNALS`, a function in a module of this folder, and a row here that names the function.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from analytics.alerts.signals.agent_states import (
    DROPPED_SPAN_MS,
    LEDGER_FIELDS,
    clock_untrusted,
    ledger_gap,
    status,
)
from analytics.alerts.signals.indicator_days import coverage, greatest_of_quotas, path_excess
from analytics.alerts.signals.measured_values import RATE_SPAN_MS, quantity, rate
from analytics.alerts.signals.meter_balance import imbalance
from analytics.alerts.signals.night_and_idle import idle_load, night_flow
from analytics.alerts.signals.poll_failures import POLL_SPAN_MS, failed_polls
from analytics.alerts.signals.profile_deviation import deviation
from analytics.alerts.signals.sampling import SignalInput
from analytics.alerts.signals.silence import age_s
from jieneng.metering import schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Sources of computed signals.
ComputedSource = Literal[
    "hours", "area_hours", "nights", "days", "path", "coverage", "quota_share", "quota_days"
]
#: Function of a signal of readings, polls or statuses.
SampledFunction = Callable[[SignalInput], "NDArray[np.float64]"]


class SampledSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal of readings, polls or statuses. Each step of time is evaluated once.

    Attributes:
        function: the signal.
        measurement: measurement of its fields; None for the medium of each meter.
        fields: stored fields; empty for the quantity of the rule.
        lookback_ms: length of the time before a step whose readings enter into the value of the
            step [ms]. The last reading before this time enters too.
    """

    function: SampledFunction
    measurement: str | None = None
    fields: tuple[str, ...] = ()
    lookback_ms: int = 0


class AgeSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal of the time since the last message. It grows while no message comes in.

    Attributes:
        function: the signal.
        measurement: measurement of the messages; None for the medium of each meter.
        field: field that each message has.
        wanted: value of the field in a message that counts; None for any.
    """

    function: "Callable[..., NDArray[np.float64]]"
    measurement: str | None = None
    field: str
    wanted: float | None = None


class ComputedSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal of stored consumption or indicators. Late data may change its past values.

    Attributes:
        function: the signal.
        source: data from which the signal is computed: consumption by hour of meters (`hours`,
            `nights`) or of areas (`area_hours`), consumption by day of meters with meters below
            them (`days`), indicators (`path`, `coverage`), or the use of annual quotas
            (`quota_share`, `quota_days`).
    """

    function: "Callable[..., NDArray[np.float64]]"
    source: ComputedSource


SignalFunction = SampledSignal | AgeSignal | ComputedSignal


def _status(field: str, function: SampledFunction = status) -> SampledSignal:
    return SampledSignal(function=function, measurement=schema.AGENT, fields=(field,))


#: The functions of the signals by name.
FUNCTIONS: Final[Mapping[str, SignalFunction]] = MappingProxyType(
    {
        "quantity": SampledSignal(function=quantity),
        "rate": SampledSignal(function=rate, lookback_ms=RATE_SPAN_MS),
        "deviation": ComputedSignal(function=deviation, source="hours"),
        "path_excess": ComputedSignal(function=path_excess, source="path"),
        "quota_used": ComputedSignal(function=greatest_of_quotas, source="quota_share"),
        "quota_short_days": ComputedSignal(function=greatest_of_quotas, source="quota_days"),
        "night_flow": ComputedSignal(function=night_flow, source="nights"),
        "imbalance": ComputedSignal(function=imbalance, source="days"),
        "idle_load": ComputedSignal(function=idle_load, source="area_hours"),
        "reading_age": AgeSignal(function=age_s, field=schema.QUALITY),
        "failed_polls": SampledSignal(
            function=failed_polls,
            measurement=schema.POLL,
            fields=("ok",),
            lookback_ms=POLL_SPAN_MS,
        ),
        "agent_age": AgeSignal(
            function=age_s, measurement=schema.AGENT, field="online", wanted=1.0
        ),
        "ingest_age": AgeSignal(function=age_s, measurement=schema.RECEIPT, field="held"),
        "ledger_gap": SampledSignal(
            function=ledger_gap,
            measurement=schema.LEDGER,
            fields=LEDGER_FIELDS,
            lookback_ms=DROPPED_SPAN_MS,
        ),
        "coverage": ComputedSignal(function=coverage, source="coverage"),
        "spool_age": _status("spool_age_s"),
        "spool_share": _status("spool_share"),
        "disk_used": _status("disk_used"),
        "certificate_days": _status("certificate_days"),
        "clock_untrusted": _status("clock_ok", clock_untrusted),
    }
)
