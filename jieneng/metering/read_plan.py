"""Plan the requests of each poll of a meter. Pure, and the same for any protocol.

The form of the model's protocol decides which quantities share a request (`model_forms`).
"""

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Final

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.model_forms import model_form
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.quantities import CONSUMPTION


def plan(
    model: Model,
    ratios: Mapping[str, Fraction] | None = None,
    wanted: Collection[str] | None = None,
) -> tuple[Read, ...]:
    """Return the fewest requests that read the wanted quantities of a meter.

    Args:
        model: meter model.
        ratios: `ct` and `pt` in force; 1 if missing.
        wanted: quantities to read; all quantities of the model if None.
    """
    return model_form(model).reads(model, ratios, wanted)


class PollPlan:
    """The requests of each poll, if some quantities are read in every nth poll only.

    Laws: the number of a poll is its time since 1970 (UTC), divided by the polling interval. A
    quantity with `every = n` is due in a poll if a multiple of n lies between the number of the
    last complete poll (exclusive) and the number of this poll (inclusive). So rarely read
    quantities have regular times, which are the same for all meters, and a quantity that a poll
    failed to read is due in the next poll. All quantities that are due in a poll are planned
    together, so that they share requests if possible. Requests are sent in the order of
    `_request_order`.

    Attributes:
        cadences: the different values of `every`, ascending.
    """

    def __init__(
        self,
        model: Model,
        ratios: Mapping[str, Fraction] | None = None,
        every: Mapping[str, int] | None = None,
    ) -> None:
        """Take the quantities of a model.

        Args:
            model: meter model, with the usual `every` of each quantity.
            ratios: `ct` and `pt` in force; 1 if missing.
            every: `every` of the meter by quantity; takes precedence over the model's.
        """
        self._model = model
        self._ratios = ratios
        self._every: Final = cadences(model, every)
        self._plans: dict[tuple[int, ...], tuple[Read, ...]] = {}
        self.cadences: Final = tuple(sorted(set(self._every.values())))

    def due(self, number: int, last: int | None = None) -> tuple[int, ...]:
        """Return the cadences that are due in a poll.

        Args:
            number: number of the poll.
            last: number of the last complete poll; every cadence is due if None.
        """
        if last is None or self.cadences == (1,):
            return self.cadences
        return tuple([n for n in self.cadences if n == 1 or number // n != last // n])

    def reads(self, due: tuple[int, ...]) -> tuple[Read, ...]:
        """Return the requests of a poll in which these cadences are due; planned once."""
        if due not in self._plans:
            wanted = [name for name, cadence in self._every.items() if cadence in due]
            reads = plan(self._model, self._ratios, wanted)
            self._plans[due] = _request_order(reads, CONSUMPTION[self._model.model.medium])
        return self._plans[due]


def _request_order(reads: tuple[Read, ...], counter: str) -> tuple[Read, ...]:
    """Return the requests of a poll in the order in which they are sent.

    The request for the consumption counter is sent first, because a poll ends if a device does not
    reply.

    A faulty line may deliver each reply twice, so that every request gets the reply to the request
    before. This is noticed only if the two replies have different shapes. So the last two requests
    differ in shape if possible. If only the counter's request has another shape, it is sent last.
    """
    first = [read for read in reads if counter in read.quantities]
    others = [read for read in reads if counter not in read.quantities]
    if len(others) > 1 and others[-1].reply_shape == others[-2].reply_shape:
        shape = others[-1].reply_shape
        differing = [read for read in others if read.reply_shape != shape]
        if not differing:
            unlike = [read for read in first if read.reply_shape != shape]
            return (*others, *unlike) if unlike else (*first, *others)
        others.remove(differing[-1])
        others.append(differing[-1])
    return (*first, *others)


def cadences(model: Model, every: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the `every` of each quantity; the meter's own takes precedence over the model's."""
    return {point.quantity: (every or {}).get(point.quantity, point.every) for point in model.point}
