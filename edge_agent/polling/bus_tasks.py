"""The buses of an agent while it runs: a task each. A new site file touches only what it changed.

Laws:

1. At most one connection a gateway, also while it changes hands: a bus is let go of before the one
   that takes its place begins.
2. What was known of a meter that is as it was goes over: its faults are not said again, and its
   counter is judged by what it said before. Faults of what is gone are over.
3. Whatever is wrong with a new duty shows before any bus is let go of: all pollers that it asks for
   are made first, and what can't be made leaves everything as it was.
4. All buses begin in the same moment, but where there are very many: these go in waves.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.polling.bus_poller import BusPoller
from edge_agent.settings import Assignment
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.site import Bus, Meter
from jieneng.site_folder import SiteFolder

# Buses of a wave. What 1,000 meters on 50 of them need stays in a core's cache meanwhile; with 250
# buses at once a poll cost a fifth more, and the last came half a second late.
_WAVE: Final = 50


class BusDuty(msgspec.Struct, frozen=True):
    """All that decides how a bus is polled: equal duties are polled alike."""

    bus: Bus
    meters: tuple[Meter, ...]
    models: tuple[Model, ...]
    zone: str


class _Running(msgspec.Struct, frozen=True):
    duty: BusDuty
    poller: BusPoller
    task: asyncio.Task[None]


class Prepared(msgspec.Struct, frozen=True):
    """The pollers that a new duty needs, made but not started.

    Attributes:
        wanted: all that is polled from then on, by the ids of buses.
        made: pollers for those that are new or changed.
    """

    wanted: dict[str, BusDuty]
    made: dict[str, BusPoller]


class Change(msgspec.Struct, frozen=True):
    """The effect of a new duty: ids of the buses that ended, began or were left untouched."""

    ended: tuple[str, ...]
    begun: tuple[str, ...]
    untouched: tuple[str, ...]


class BusTasks:
    """The pollers of an agent."""

    def __init__(self, make: Callable[[BusDuty, int], BusPoller]) -> None:
        """Start without any poller.

        Args:
            make: a poller for a bus in a wave: 0 for the first.
        """
        self._make = make
        self._running: dict[str, _Running] = {}
        self._group: asyncio.TaskGroup | None = None

    @property
    def pollers(self) -> tuple[BusPoller, ...]:
        """The pollers that run now."""
        return tuple(one.poller for one in self._running.values())

    async def run(self, duties: tuple[BusDuty, ...]) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self.change(self.prepare(duties))
            await asyncio.Event().wait()

    def prepare(self, duties: tuple[BusDuty, ...]) -> Prepared:
        """Make what polling these asks for; nothing is changed by that.

        Raises:
            Exception: what makes the pollers does.
        """
        wanted = {one.bus.id: one for one in duties}
        running = {name: one.duty for name, one in self._running.items()}
        made = {
            name: self._make(duty, n // _WAVE)
            for n, (name, duty) in enumerate(wanted.items())
            if running.get(name) != duty
        }
        return Prepared(wanted, made)

    async def change(self, to: Prepared) -> Change:
        """Poll these from now on; buses that are as they were go on without a gap."""
        kept = to.wanted.keys() - to.made.keys()
        ended = {name: one for name, one in self._running.items() if name not in kept}
        for name, one in ended.items():
            one.task.cancel()
            del self._running[name]
        if ended:
            await asyncio.wait([one.task for one in ended.values()])
        untouched = tuple(self._running)
        for name, poller in to.made.items():
            self._begin(to.wanted[name], poller, ended.get(name))
        for name, one in ended.items():
            if name not in to.wanted:
                one.poller.retire()
        return Change(tuple(ended), tuple(to.made), untouched)

    def _begin(self, duty: BusDuty, poller: BusPoller, before: _Running | None) -> None:
        if self._group is None:
            raise RuntimeError("buses are begun before they run")
        if before is not None:
            poller.take_over(before.poller)
        task = self._group.create_task(poller.run(), name=f"bus {duty.bus.id}")
        self._running[duty.bus.id] = _Running(duty, poller, task)


def duties(folder: SiteFolder, mine: Assignment) -> tuple[BusDuty, ...]:
    """Return the duty of an agent as one duty for each bus."""
    return tuple(
        BusDuty(
            bus,
            mine.meters[bus.id],
            tuple(folder.models[one.model or ""] for one in mine.meters[bus.id]),
            folder.site.site.timezone,
        )
        for bus in mine.buses
    )
