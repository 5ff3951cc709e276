"""Variants of a model that request fewer registers at once, for devices that refuse more. Pure.

Law: every variant is the same model, with the same quantities at the same addresses.
"""

from collections.abc import Iterator

import msgspec

from jieneng.metering.catalog.meter_model import LONGEST_ID
from jieneng.metering.catalog.modbus_points import ModbusModel


def read_variants(model: ModbusModel) -> Iterator[ModbusModel]:
    """Yield the model itself, then variants with ids of their own that request ever less at once.

    Some devices refuse registers that their manual does not name, even those between two named
    ones. Others return only a few registers at once.
    """
    yield model
    yield _variant(model, "apart", "nothing is read along between its registers", 120)
    widest = max(row.end - row.first for row in model.point)
    yield _variant(model, "alone", "as few registers at once as its widest value takes", widest)


def _variant(model: ModbusModel, suffix: str, reason: str, max_registers: int) -> ModbusModel:
    head = msgspec.structs.replace(
        model.model,
        id=f"{model.id[: LONGEST_ID - len(suffix) - 1]}-{suffix}",
        source=f"{model.model.source}; {reason}: the device refuses more",
        max_gap=0,
        max_registers=min(max_registers, model.model.max_registers),
    )
    return msgspec.structs.replace(model, model=head, vector=())
