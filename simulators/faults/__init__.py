"""What can be wrong with meters, buses and buildings: a module a layer, a class a kind.

A new fault is a class in the module of its layer, and its name in that module's table.
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
KINDS: Final[Mapping[str, type[Fault]]] = MappingProxyType({one.kind(): one for one in _ALL})

if TYPE_CHECKING:
    AnyFault: TypeAlias = Fault
else:
    AnyFault = Union[_ALL]  # noqa: UP007 - built at run time from the tables


class FaultsFile(msgspec.Struct, frozen=True, kw_only=True):
    """A script: `[[fault]]` tables."""

    fault: tuple[AnyFault, ...] = ()
