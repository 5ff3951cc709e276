"""Find out which meter models fit one unit of a bus, by the same requests that the agent would use.

Laws:

1. A model matches only if the unit answers every request that the agent would send for it. If the
   unit refuses some of them, variants of the model with other requests (`read_variants`) are tried,
   and the first that is answered is returned.
2. A request that several models contain is sent only once.
"""

from collections.abc import Sequence

import msgspec

from edge_agent.commissioning import model_match
from edge_agent.commissioning.bus_probe import BusProbe, ReportProgress, plain_read
from edge_agent.commissioning.model_match import Mismatch, ModelMatch
from edge_agent.commissioning.read_variants import read_variants
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.modbus_reads import ModbusRead, plan
from jieneng.metering.errors import PeerError, Unanswered


class ModelProbe:
    """Compares models with one unit, and caches the unit's replies."""

    def __init__(self, probe: BusProbe, unit: int) -> None:
        """Create a probe with an empty cache.

        Args:
            probe: probe of the bus.
            unit: address of the unit.
        """
        self._probe = probe
        self._unit = unit
        self._replies: dict[tuple[int, int, int], bytes | Mismatch] = {}

    async def match_models(
        self, models: Sequence[ModbusModel], report_progress: ReportProgress
    ) -> list[ModelMatch]:
        """Return the comparison of each model with the unit's replies."""
        matches = []
        for index, model in enumerate(models):
            report_progress(index / len(models))
            matches.append(await self._match_model(model))
        report_progress(1.0)
        return matches

    async def readable_variant(self, model: ModbusModel) -> ModbusModel | None:
        """Return the first variant of a model of which the unit answers all requests; None if none.

        The model itself is tried first.
        """
        for variant in read_variants(model):
            if not isinstance(await self._read_all(variant), Mismatch):
                return variant
        return None

    async def _match_model(self, model: ModbusModel) -> ModelMatch:
        match = ModelMatch(model.id)
        for variant in read_variants(model):
            replies = await self._read_all(variant)
            if isinstance(replies, Mismatch):
                match = ModelMatch(model.id, mismatch=replies)
                continue
            match = model_match.match_values(model, replies)
            match = msgspec.structs.replace(match, variant=None if variant is model else variant)
            return match if match.mismatch else await self._identify(model, match)
        return match

    async def _read_all(self, model: ModbusModel) -> list[tuple[ModbusRead, bytes]] | Mismatch:
        """Return the replies to all requests of a model, or the reason why one has no reply."""
        replies = list[tuple[ModbusRead, bytes]]()
        for read in plan(model):
            data = await self._cached_request(read)
            if isinstance(data, Mismatch):
                return data
            replies.append((read, data))
        return replies

    async def _identify(self, model: ModbusModel, match: ModelMatch) -> ModelMatch:
        """Return the match, with the device's identity added.

        An identity register that the device lacks is a mismatch only if the model states its value.
        """
        answers = []
        for row in model.identity:
            read = plain_read(row.function, range(row.address, row.address + row.words))
            data = await self._cached_request(read)
            if not isinstance(data, Mismatch):
                answers.append((row, data))
            elif row.expect is not None:
                return msgspec.structs.replace(match, mismatch=data)
        return model_match.match_identity(match, answers)

    async def _cached_request(self, read: ModbusRead) -> bytes | Mismatch:
        """Return the register bytes that answer a request, or the reason why there are none."""
        key = (read.function, read.address, read.count)
        if key not in self._replies:
            try:
                self._replies[key] = await self._probe.request(self._unit, read)
            except (Unanswered, PeerError) as error:
                self._replies[key] = Mismatch(f"{read.function}: {read.addresses}", error)
        return self._replies[key]
