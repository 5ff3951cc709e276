"""Variants of a model that request fewer registers at once, for devices that refuse more. Pure.

Law: every variant has the same quantities at the same addresses as the model. Only its id, its
source and the requests differ.
"""

from collections.abc import Iterator

import msgspec

from jieneng.metering.catalog.meter_model import LONGEST_ID
from jieneng.metering.catalog.modbus_points import ModbusModel


def read_variants(model: ModbusModel) -> Iterator[ModbusModel]:
    """Yield the model itself, then its variants, each with fewer registers in a request.

    The first variant never requests registers between the points of the model, because some devices
    refuse every request that contains an undocumented register. The second variant requests as few
    registers at once as possible, for devices that return only a few in one reply.
    """
    yield model
    yield _variant(model, "apart", "no gaps between its registers are read", 120)
    widest = max(row.end - row.first for row in model.point)
    yield _variant(model, "alone", "each request has only the registers of one value", widest)


def _variant(model: ModbusModel, suffix: str, change: str, max_registers: int) -> ModbusModel:
    """Return the model without gaps in its requests, and with at most this many registers in each.

    Args:
        model: the model.
        suffix: end of the variant's id.
        change: description of the difference, for the variant's key `source`.
        max_registers: largest number of registers in one request.
    """
    header = msgspec.structs.replace(
        model.model,
        id=f"{model.id[: LONGEST_ID - len(suffix) - 1]}-{suffix}",
        source=f"{model.model.source}; {change}: the device refuses more",
        max_gap=0,
        max_registers=min(max_registers, model.model.max_registers),
    )
    return msgspec.structs.replace(model, model=header, vector=())
