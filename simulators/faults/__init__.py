"""Kinds of simulated faults of meters, buses and buildings: a module per layer, a class per kind.

In: correct answers, connections, counters or flows, and the keys of a `[[fault]]` row.
Out: faulty answers, connections, counters or flows, and a verdict that says whether a reader may
keep an answer.
Laws: faults are pure data. Their random choices depend only on the seed, the script and the order
of the requests, so every run can be repeated. A new fault costs a class in the module of its layer,
and an entry in that module's table.
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

#: Classes of faults, by the `kind` in a script.
KINDS: Final[Mapping[str, type[Fault]]] = MappingProxyType({kind.kind(): kind for kind in _ALL})

if TYPE_CHECKING:
    AnyFault: TypeAlias = Fault
else:
    AnyFault = Union[_ALL]  # noqa: UP007 - built at run time from the tables


class FaultsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a fault script: its `[[fault]]` tables."""

    fault: tuple[AnyFault, ...] = ()
