"""List the addresses that a Modbus device serves, and the words of its identity. Pure.

Law: a device serves the registers of its points and identities, and the gaps between them that its
model lets a request cross. A gap with a register that the model forbids is not served.
"""

from collections.abc import Mapping, Sequence

from jieneng.metering.catalog.modbus_points import IdentityRow, ModbusModel
from simulators.protocols import register_words
from simulators.protocols.modbus_registers import parts_of


def served_ranges(model: ModbusModel) -> Mapping[int, tuple[range, ...]]:
    """Return the ranges of addresses that a device serves, by function.

    Neighbouring registers are joined to a range across gaps of up to the model's `max_gap`, unless
    a forbidden register lies between them.
    """
    wanted = [
        *((row.function, part.addresses) for row in model.point for part in parts_of(row)),
        *((row.function, _identity_addresses(row)) for row in model.identity),
    ]
    forbidden = [(row.function, range(row.from_, row.to + 1)) for row in model.forbidden]
    found: dict[int, list[range]] = {}
    for function, addresses in sorted(wanted, key=lambda pair: (pair[0], pair[1].start)):
        known = found.setdefault(function, [])
        joined = addresses
        if known:
            joined = range(known[-1].start, max(known[-1].stop, addresses.stop))
        crosses_forbidden = any(
            other == function and overlap(never, joined) for other, never in forbidden
        )
        if (
            known
            and addresses.start - known[-1].stop <= model.model.max_gap
            and not crosses_forbidden
        ):
            known[-1] = joined
        else:
            known.append(addresses)
    return {function: tuple(known) for function, known in found.items()}


def identity_words(model: ModbusModel, name: str) -> Mapping[int, Sequence[tuple[int, list[int]]]]:
    """Return the identity registers of a device, by function: addresses and words.

    If the model leaves a text open, it is the meter's id; a number that is left open is 0.
    """
    found: dict[int, list[tuple[int, list[int]]]] = {}
    for row in model.identity:
        addresses = _identity_addresses(row)
        if row.type.startswith("str"):
            words = register_words.text(str(row.expect or name), 2 * len(addresses), row.order)
        else:
            words = register_words.encode(
                int(row.expect or 0), register_words.layout(row.type, row.order)
            )
        found.setdefault(row.function, []).append((row.address, words))
    return found


def _identity_addresses(row: IdentityRow) -> range:
    text = row.type.startswith("str")
    size = int(row.type[3:]) // 2 if text else register_words.layout(row.type, row.order).words
    return range(row.address, row.address + size)


def overlap(one: range, other: range) -> bool:
    """Return True if two ranges have an address in common."""
    return one.start < other.stop and other.start < one.stop


def copy_words(found: Sequence[int], address: int, words: list[int], asked: range) -> None:
    """Copy words from `address` on into the answer to a request for the addresses `asked`.

    Points may share a register, so bits are combined.
    """
    for at, word in enumerate(found, address):
        if at in asked:
            words[at - asked.start] |= word
