"""Rules for the messages and samples that a site does not admit: one row for each reason. Pure.

`quarantine_reasons` says for each code what it means and what to do about it. The form of a message
(topic, size, JSON, version, layout, time) is checked by `mqtt_messages`.

Laws:

1. A message is refused for the first row that refuses it. So is a sample, and no other sample with
   it.
2. A refusal is never final: the sample is quarantined with its reason, and a replay takes these
   rules as they are then.

Rows that may refuse a sample of an honest agent, and their reasons:

- `unknown_meter`, `other_agent`, `quantity`, `before_installed`: an agent reads its files again on
  SIGHUP, and the ingest may have older ones. So the ingest reads its own again before it believes
  one of these (`current_checker`).
- `quantity`: an agent of a later version may send a quantity that is not known here at all. Its
  samples wait for the ingest's update; the other samples of the batch are stored.
- `future`: an agent's clock may be years ahead. Until that time, its points would be the latest of
  the meter, and no real one would be shown. A day leaves room for a wrong time zone. While the
  ingest's own clock is not set, nothing is refused for it.
- `before_installed`: `installed` is a local day, and readings of the whole day are admitted.
- `two_values`: a meter has one value at a time. Only after its clock was set back may an agent send
  two values of one time, once. The first value is stored, the other one is quarantined.

Infinite numbers and NaN do not get here: JSON has neither of them, `mqtt_messages` refuses a number
that is out of range (`form`), and an unknown value is null.
"""

import math
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import WireError
from jieneng.metering.quantities import QUANTITIES, Medium
from jieneng.metering.reading import Sample
from jieneng.metering.site import Meter, Site

#: Time by which a sample may be ahead of the ingest's clock [ms].
FUTURE_MS: Final = 86_400_000
_BEGIN_MS: Final = 0
#: Layouts remembered of a meter. A hostile sender must not fill the memory.
_MAX_LAYOUTS: Final = 64


class MeterFacts:
    """The facts of a meter that its samples must agree with.

    Attributes:
        medium: medium of the meter.
        quantities: quantities that its model has, or one of an earlier device's.
        installed_ms: time from which it can have readings [UTC, ms].
        admitted: layouts that were admitted before; each is checked only once.
    """

    __slots__ = ("admitted", "installed_ms", "medium", "quantities")

    def __init__(self, medium: Medium, quantities: frozenset[str], installed_ms: int) -> None:
        self.medium = medium
        self.quantities = quantities
        self.installed_ms = installed_ms
        self.admitted: set[tuple[str, ...]] = set()

    def remember(self, layout: tuple[str, ...]) -> None:
        """Remember a layout that was admitted."""
        if len(self.admitted) >= _MAX_LAYOUTS:
            self.admitted.clear()
        self.admitted.add(layout)


class MessageCase(NamedTuple):
    """The sender of a message, and the ids of the site.

    Attributes:
        site: site of the topic.
        agent: agent of the topic.
        sender: agent that the payload names; None before it is read.
        own_site: the site.
        agents: agents that its buses name.
    """

    site: str
    agent: str
    sender: str | None
    own_site: str
    agents: Container[str]


class MessageRule(NamedTuple):
    """A row: the code of the reason (`quarantine_reasons`), and the test."""

    code: str
    refuses: Callable[[MessageCase], bool]


MESSAGE_RULES: Final = (
    MessageRule("other_site", lambda case: case.site != case.own_site),
    MessageRule("unknown_agent", lambda case: case.agent not in case.agents),
    MessageRule("other_agent", lambda case: case.sender not in {None, case.agent}),
)


class SampleCase(NamedTuple):
    """A sample, and the known facts about it.

    Attributes:
        sample: the sample.
        meter: facts of its meter; None if the agent has no such meter.
        is_known: True if the site has such a meter.
        latest_ms: latest time that is admitted.
        is_second: True if the batch holds another value at its time.
    """

    sample: Sample
    meter: MeterFacts | None
    is_known: bool
    latest_ms: int
    is_second: bool


class SampleRule(NamedTuple):
    """A row: the code of the reason (`quarantine_reasons`), and the test."""

    code: str
    refuses: Callable[[SampleCase], bool]


SAMPLE_RULES: Final = (
    SampleRule("unknown_meter", lambda case: not case.is_known),
    SampleRule("other_agent", lambda case: case.meter is None),
    SampleRule(
        "quantity",
        lambda case: (
            case.meter is not None and not case.meter.quantities.issuperset(case.sample.quantities)
        ),
    ),
    SampleRule("future", lambda case: case.sample.time_ms > case.latest_ms),
    SampleRule(
        "before_installed",
        lambda case: case.meter is not None and case.sample.time_ms < case.meter.installed_ms,
    ),
    SampleRule("two_values", lambda case: case.is_second),
)

#: Codes that depend on the site's files.
SITE_REASONS: Final = frozenset(
    {"unknown_agent", "unknown_meter", "other_agent", "quantity", "before_installed"}
)

#: Facts of the meters of each agent, by agent and meter.
AgentMeters: TypeAlias = Mapping[str, Mapping[str, MeterFacts]]


def require_admitted(case: MessageCase) -> None:
    """Check a message's sender.

    Raises:
        WireError: with the code of the first row that refuses it.
    """
    for rule in MESSAGE_RULES:
        if rule.refuses(case):
            raise WireError(
                rule.code,
                "site {site}, agent {agent}, sent by {sender}",
                site=case.site[:64],
                agent=case.agent[:64],
                sender=(case.sender or "-")[:64],
            )


def refusal(case: SampleCase) -> str | None:
    """Return the code of the first row that refuses a sample; None if it is admitted."""
    return next((rule.code for rule in SAMPLE_RULES if rule.refuses(case)), None)


def detail(sample: Sample) -> str:
    """Return what a person needs to find a refused sample."""
    moment = datetime.fromtimestamp(sample.time_ms / 1000, UTC)
    names = " ".join(sample.quantities)[:100].encode("unicode_escape").decode()
    return f"meter {sample.meter[:64]}, {moment:%Y-%m-%dT%H:%M:%SZ}, {names}"


def second_values(samples: Sequence[Sample]) -> frozenset[int]:
    """Return the index of each sample that contradicts an earlier one of its meter and time."""
    if len(samples) == 1 or len({(sample.meter, sample.time_ms) for sample in samples}) == len(
        samples
    ):
        return frozenset()
    found: set[int] = set()
    values: dict[tuple[str, int], dict[str, float]] = {}
    for index, sample in enumerate(samples):
        earlier = values.setdefault((sample.meter, sample.time_ms), {})
        own = {  # an unknown value (NaN) contradicts nothing
            name: value
            for name, value in zip(sample.quantities, sample.values, strict=True)
            if not math.isnan(value)
        }
        if any(earlier.get(name, value) != value for name, value in own.items()):
            found.add(index)
        else:
            earlier |= own
    return frozenset(found)


def agent_meters(site: Site, models: Mapping[str, Model]) -> AgentMeters:
    """Return the facts of the meters on the buses of each agent."""
    found: dict[str, dict[str, MeterFacts]] = {bus.agent: {} for bus in site.bus}
    for meter in site.meter:
        if meter.bus is not None:
            found[site.buses[meter.bus].agent][meter.id] = _facts(site, meter, models)
    return found


def _facts(site: Site, meter: Meter, models: Mapping[str, Model]) -> MeterFacts:
    devices = {meter.model, *(replacement.model for replacement in meter.replaced)}
    named = [models[device] for device in devices if device is not None and device in models]
    quantities = frozenset(point.quantity for model in named for point in model.point)
    if not named:  # without a known model, every quantity is admitted
        quantities = frozenset(
            quantity.name for quantity in QUANTITIES.values() if meter.medium in quantity.media
        )
    installed_ms = _BEGIN_MS
    if meter.installed is not None:
        midnight = datetime(
            meter.installed.year, meter.installed.month, meter.installed.day, tzinfo=site.zone
        )
        installed_ms = round(midnight.timestamp() * 1000)
    return MeterFacts(meter.medium, quantities, installed_ms)
