"""How a model's registers may be asked for, where a device refuses to be asked as usual. Pure.

Law: what is asked for ever less at once is the same model: the same quantities in the same places.
"""

from collections.abc import Iterator

import msgspec

from jieneng.metering.catalog.meter_model import LONGEST_ID
from jieneng.metering.catalog.modbus_points import ModbusModel


def ways(model: ModbusModel) -> Iterator[ModbusModel]:
    """A model as it is, then under names of their own such that ask for less at once.

    Some devices refuse registers that their manual does not name, even between two that it does;
    some give only a few at once.
    """
    yield model
    yield _own(model, "apart", "nothing is read along between its registers", 120)
    widest = max(row.end - row.first for row in model.point)
    yield _own(model, "alone", "as few registers at once as its widest value takes", widest)


def _own(model: ModbusModel, name: str, how: str, most: int) -> ModbusModel:
    head = msgspec.structs.replace(
        model.model,
        id=f"{model.id[: LONGEST_ID - len(name) - 1]}-{name}",
        source=f"{model.model.source}; {how}: the device refuses more",
        max_gap=0,
        max_registers=min(most, model.model.max_registers),
    )
    return msgspec.structs.replace(model, model=head, vector=())
