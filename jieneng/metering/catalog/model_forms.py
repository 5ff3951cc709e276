"""Table of the protocols of meter models, with the form of each protocol. Pure.

To add a protocol, write a module in this folder with the structs and rules of its points, and add a
row to `MODEL_FORMS`. All other code uses a protocol only through this table.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final, Literal

import msgspec

from jieneng.metering.catalog import modbus_check, modbus_reads
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import Problem
from jieneng.metering.site import Bus, LinkKind, Meter

#: Protocol of a model without the key `protocol`.
DEFAULT_PROTOCOL: Final = "modbus"


class ModelForm(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a protocol's models: structs, rules and requests.

    Attributes:
        model: struct of the TOML file.
        point_problems: function that checks one point, given its model and its path in the file.
        model_problems: function that checks the other tables of the file.
        reads: function that returns the requests for a model's quantities (see `read_plan.plan`).
        links: kinds of buses on which the protocol is possible.
        address_key: key of `[[meter]]` with the meter's address on its bus.
        address_problems: function that checks this address; paths begin below the meter.
    """

    model: type[Model]
    point_problems: Callable[[Any, Any, tuple[str | int, ...]], Iterator[Problem]]
    model_problems: Callable[[Any], Iterable[Problem]]
    reads: Callable[[Any, Mapping[str, Fraction] | None, Collection[str] | None], tuple[Read, ...]]
    links: frozenset[LinkKind]
    address_key: Literal["unit", "address"]
    address_problems: Callable[[Meter, Bus], Iterable[Problem]]


#: Forms by `protocol` of `[model]`.
MODEL_FORMS: Final[dict[str, ModelForm]] = {
    "modbus": ModelForm(
        model=ModbusModel,
        point_problems=modbus_check.point_problems,
        model_problems=modbus_check.identity_problems,
        reads=modbus_reads.plan,
        links=frozenset({"tcp", "rtu_tcp", "rtu"}),
        address_key="unit",
        address_problems=modbus_check.unit_problems,
    ),
}


def protocol_of(model: Model | None) -> str:
    """Return the protocol of a model; the default one if there is no model."""
    return DEFAULT_PROTOCOL if model is None else model.protocol


def model_form(model: Model | None) -> ModelForm:
    """Return the form of a model; the form of the default protocol if there is no model."""
    return MODEL_FORMS[protocol_of(model)]


def protocol_problem(protocol: object) -> Problem | None:
    """Return a problem if a `protocol` is unknown; None if it is known."""
    if isinstance(protocol, str) and protocol in MODEL_FORMS:
        return None
    return Problem(
        text="{protocol} is not a protocol for polling meters.",
        fix="Use one of: {known}.",
        values={"protocol": protocol, "known": ", ".join(sorted(MODEL_FORMS))},
        path=("model", "protocol"),
    )
