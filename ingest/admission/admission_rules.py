"""Rules that refuse messages and samples of a site: two tables, with one rule a row. Pure.

`quarantine_reasons` says for each code what it means and what to do about it. `mqtt_messages`
checks the form of a message before: topic, size, JSON, version, layout and time.

Laws:

1. The first row that refuses a message or a sample gives the reason. A refused sample does not
   affect the other samples of its batch.
2. A refusal is never final: the sample is quarantined with its reason. A replay checks it again,
   against the rules and the site's files at the time of the replay.

These rows can refuse samples of an agent that works correctly:

- `unknown_meter`, `other_agent`, `quantity`, `before_installed`: an agent reads its files again on
  SIGHUP, and the ingest may still use older files. So the ingest reads its files again before it
  refuses a sample for one of these reasons (`current_checker`).
- `quantity`: an agent of a later version may send a quantity that this version does not know. Its
  samples stay in quarantine until the ingest is updated. The other samples of the batch are stored.
- `future`: an agent's clock may be years ahead. If such a sample were stored, it would be shown as
  the latest reading of the meter for years. A sample up to a day ahead is admitted, because a wrong
  time zone can cause it. While the ingest's own clock is not set, this rule refuses nothing.
- `before_installed`: `installed` is a local day, and readings of the whole day are admitted.
- `two_values`: a meter has only one value for each time. An agent may send a second value for the
  same time after its clock was set back. The first value is stored, the second one quarantined.

No sample holds an infinite number: JSON has no infinity, and `mqtt_messages` refuses a number that
is out of range (`form`). NaN in a sample is an unknown value, which is null in JSON.
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
#: Largest number of layouts that are remembered for a meter; a sender must not fill the memory.
_MAX_LAYOUTS: Final = 64


class MeterFacts:
    """The facts of a meter that its samples must agree with.

    Attributes:
        medium: medium of the meter.
        quantities: quantities of its model, and of the models of the devices that it replaced.
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
        sender: agent that the payload names; None before the payload is read.
        own_site: id of the site that this ingest serves.
        agents: ids of the agents that poll the buses of this site.
    """

    site: str
    agent: str
    sender: str | None
    own_site: str
    agents: Container[str]


class MessageRule(NamedTuple):
    """A rule for messages: code of the reason (`quarantine_reasons`), and test that refuses."""

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
        is_second: True if the batch holds an earlier sample of the same meter and time with another
            value.
    """

    sample: Sample
    meter: MeterFacts | None
    is_known: bool
    latest_ms: int
    is_second: bool


class SampleRule(NamedTuple):
    """A rule for samples: code of the reason (`quarantine_reasons`), and test that refuses."""

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
    """Return meter, time and quantities of a refused sample, as a text for a person."""
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
