"""The addresses that a device serves, and the words of its identity. Pure.

Law: a device serves the registers of its points and identities, and the gaps between them that its
model lets a request cross. A gap that the model forbids is never bridged.
"""

from collections.abc import Mapping, Sequence

from jieneng.metering.catalog.modbus_points import IdentityRow, ModbusModel
from simulators.encoding import register_words
from simulators.registers.register_layout import parts_of


def blocks(model: ModbusModel) -> Mapping[int, tuple[range, ...]]:
    """Return the register ranges that a device serves, by function.

    These are the registers of its points and identities, and the gaps between them up to the
    model's `max_gap`. Ranges that the model forbids are never bridged.
    """
    places = [
        *((row.function, part.place) for row in model.point for part in parts_of(row)),
        *((row.function, _identity_place(row)) for row in model.identity),
    ]
    walls = [(row.function, range(row.from_, row.to + 1)) for row in model.forbidden]
    found: dict[int, list[range]] = {}
    for function, place in sorted(places, key=lambda one: (one[0], one[1].start)):
        known = found.setdefault(function, [])
        joined = range(known[-1].start, max(known[-1].stop, place.stop)) if known else place
        walled = any(wall[0] == function and overlap(wall[1], joined) for wall in walls)
        if known and place.start - known[-1].stop <= model.model.max_gap and not walled:
            known[-1] = joined
        else:
            known.append(place)
    return {function: tuple(known) for function, known in found.items()}


def identities(model: ModbusModel, name: str) -> Mapping[int, Sequence[tuple[int, list[int]]]]:
    """Return the identity registers of a device, by function: addresses and words.

    A text that the model leaves open is the meter's id; a number that it leaves open is 0.
    """
    found: dict[int, list[tuple[int, list[int]]]] = {}
    for row in model.identity:
        place = _identity_place(row)
        if row.type.startswith("str"):
            held = register_words.text(str(row.expect or name), 2 * len(place), row.order)
        else:
            held = register_words.encode(
                int(row.expect or 0), register_words.layout(row.type, row.order)
            )
        found.setdefault(row.function, []).append((row.address, held))
    return found


def _identity_place(row: IdentityRow) -> range:
    text = row.type.startswith("str")
    size = int(row.type[3:]) // 2 if text else register_words.layout(row.type, row.order).words
    return range(row.address, row.address + size)


def overlap(one: range, other: range) -> bool:
    """Return True if two ranges of addresses have one in common."""
    return one.start < other.stop and other.start < one.stop


def copy_words(found: Sequence[int], where: int, held: list[int], asked: range) -> None:
    """Copy words into the answer; registers may be shared, so their bits are combined."""
    for address, word in enumerate(found, where):
        if address in asked:
            held[address - asked.start] |= word
