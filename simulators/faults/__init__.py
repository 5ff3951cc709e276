"""Kinds of simulated faults of meters, buses and buildings: a module per layer, a class per kind.

In: answers, connections, counters or flows that are right, and the keys of a `[[fault]]` row.
Out: the same with the fault applied, and a verdict on what a reader may still believe.
Laws: faults are pure data; their random choices depend on seed and script alone, so every run can
be repeated. A new fault is a class in the module of its layer and an entry in that module's table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias, Union

import msgspec

from simulators.faults import connection_faults, flow_faults, register_faults, reply_faults
from simulators.faults.fault import Fault

_ALL: Final[tuple[type[Fault], ...]] = (
    *reply_faults.KINDS,
    *connection_faults.KINDS,
    *register_faults.STATES,
    *register_faults.SLIPS,
    *flow_faults.KINDS,
)

#: By the name that a script uses.
KINDS: Final[Mapping[str, type[Fault]]] = MappingProxyType({kind.kind(): kind for kind in _ALL})

if TYPE_CHECKING:
    AnyFault: TypeAlias = Fault
else:
    AnyFault = Union[_ALL]  # noqa: UP007 - built at run time from the tables


class FaultsFile(msgspec.Struct, frozen=True, kw_only=True):
    """A script: `[[fault]]` tables."""

    fault: tuple[AnyFault, ...] = ()
