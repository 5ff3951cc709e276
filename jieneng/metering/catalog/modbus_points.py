"""Structs of a Modbus meter model: the registers of each quantity. Pure.

`modbus_check` has the rules for these tables, and `modbus_reads` plans the requests.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering.catalog.meter_model import Model, ModelHead, Point, Vector
from jieneng.metering.catalog.modbus_unknown import (
    FractionLayout,
    UnknownContents,
    no_values,
    unknown_contents,
)
from jieneng.metering.registers import BIT, TYPES, Field, byte_orders, text_words

Address = Annotated[int, Meta(ge=0, le=65535)]
Content = Annotated[int, Meta(ge=0)]

#: Functions that read single bits: coils and discrete inputs.
BIT_FUNCTIONS: Final = frozenset({1, 2})


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A register that belongs to the number of a point.

    Attributes:
        address: address of the first register, as sent on the wire, 0-based.
        type: encoding of the number, a name in `registers.TYPES`.
        order: byte order; big-endian if omitted.
    """

    address: Address
    type: str
    order: str | None = None

    @property
    def words(self) -> int:
        """Number of registers."""
        return _words(self.type)

    @property
    def byte_order(self) -> str:
        """Byte order in letters, never omitted."""
        return _byte_order(self.type, self.order)


class FractionRow(PartRow, frozen=True, kw_only=True):
    """The register that holds the digits after the decimal point.

    Attributes:
        scale: value of one unit of it, in units of the point's register.
    """

    scale: Decimal = Decimal(1)


class PointRow(Point, frozen=True, kw_only=True):
    """A `[[point]]` of a Modbus model: one quantity in one place.

    Attributes:
        function: Modbus function that reads it: 1 coils, 2 discrete inputs, 3 holding, 4 input
            registers.
        address: address of the first register, as sent on the wire, 0-based.
        type: encoding of the number, a name in `registers.TYPES`; `bit` with functions 1 and 2.
        order: byte order; big-endian where omitted.
        bits: first and last bit, if the register also holds other values; 0 is the lowest bit.
        unknown: contents of the register that mean "no value", in addition to the usual one of its
            type; an empty list if every content is a value, even the usual one.
        fraction: register that is added to the number before it is scaled.
        exponent: register with the power of ten by which the number is multiplied.
    """

    function: Literal[1, 2, 3, 4]
    address: Address
    type: str = BIT
    order: str | None = None
    bits: tuple[int, int] | None = None
    unknown: Annotated[
        Content | tuple[Content, ...] | None,
        Meta(
            description="Write the register's content, or a list of contents, in hexadecimal "
            "without quotes, for example: {key} = [0x7FFF, 0x8000]",
            examples=[[0x7FFF, 0x8000]],
        ),
    ] = None
    fraction: FractionRow | None = None
    exponent: PartRow | None = None

    @property
    def words(self) -> int:
        """Number of registers of the point itself."""
        return _words(self.type)

    @property
    def byte_order(self) -> str:
        """Byte order in letters, never omitted."""
        return _byte_order(self.type, self.order)

    @property
    def parts(self) -> tuple["PointRow | PartRow", ...]:
        """The point and the registers that belong to its number."""
        return (self, *(part for part in (self.fraction, self.exponent) if part is not None))

    @property
    def first(self) -> int:
        """Lowest address that must be read for the value."""
        return min(part.address for part in self.parts)

    @property
    def end(self) -> int:
        """Address after the highest one that must be read for the value."""
        return max(part.address + part.words for part in self.parts)

    @property
    def stated_unknown(self) -> tuple[int, ...]:
        """Contents of the register that the model says to mean "no value"."""
        if self.unknown is None:
            return ()
        return self.unknown if isinstance(self.unknown, tuple) else (self.unknown,)

    @property
    def float_step(self) -> float:
        """Step between neighbouring values as a share of the value; 0 where all steps are equal.

        A number with a fraction has the steps of the finer of the two registers. These do not grow,
        because the finer register holds less than one unit of the coarser one.
        """
        if self.type == BIT or self.fraction is not None:
            return 0.0
        return TYPES[self.type].float_step

    def _smallest_step(self) -> Fraction:
        if self.type == BIT or self.exponent is not None:
            return Fraction(0)
        number = (Fraction(1), TYPES[self.type].float_step)
        if self.fraction is None:
            return Fraction(0 if self.float_step else 1)
        fraction = (abs(Fraction(self.fraction.scale)), TYPES[self.fraction.type].float_step)
        # If the units are equal, a float has the finer steps: it also holds parts of a unit.
        (unit, float_step), (coarser, _) = sorted(
            (number, fraction), key=lambda part: (part[0], -part[1])
        )
        return Fraction(float_step) * coarser if float_step else unit

    def no_values(self) -> tuple[float, ...]:
        """Return the numbers that mean "no value" [canonical unit, before ratios].

        There are none for a point with an exponent, because the number that a content means depends
        on the exponent.
        """
        if not self._says_no_value or self.exponent is not None:
            return ()
        numbers = no_values(self.type, self._stated(), self._fraction_layout())
        return tuple(float(number * self.canonical_scale()) for number in numbers)

    @property
    def _says_no_value(self) -> bool:
        """True if a content of the register can mean "no value"; False for single bits."""
        return self.type != BIT and self.bits is None

    def _stated(self) -> tuple[int, ...] | None:
        return None if self.unknown is None else self.stated_unknown

    def _fraction_layout(self) -> FractionLayout | None:
        if self.fraction is None:
            return None
        return FractionLayout(self.fraction.type, Fraction(self.fraction.scale))

    def field(self, start: int, ct: Fraction, pt: Fraction) -> Field:
        """Return the point as a field of a block of registers that begins at an address."""
        fraction, exponent = self.fraction, self.exponent
        unknown = UnknownContents()
        if self._says_no_value:
            unknown = unknown_contents(self.type, self._stated(), self._fraction_layout())
        return Field(
            self.address - start,
            self.type,
            self.byte_order,
            self.canonical_scale(ct, pt),
            bits=self.bits,
            unknown=unknown.number,
            fraction=None
            if fraction is None
            else _field(fraction, start, Fraction(fraction.scale), unknown.fraction),
            unknown_together=unknown.together,
            exponent=None if exponent is None else _field(exponent, start),
        )


def _words(kind: str) -> int:
    return 1 if kind == BIT else TYPES[kind].words


def _byte_order(kind: str, order: str | None) -> str:
    return order or byte_orders(_words(kind))[0]


def _field(
    part: PartRow, start: int, scale: Fraction = Fraction(1), unknown: tuple[int, ...] = ()
) -> Field:
    return Field(part.address - start, part.type, part.byte_order, scale, unknown=unknown)


class IdentityRow(msgspec.Struct, frozen=True, kw_only=True):
    """An `[[identity]]`: a register in which the device describes itself.

    Read when the meter is commissioned, never polled.

    Attributes:
        label: meaning of the register: type code, serial number, a setting that scales depend on.
        type: a name in `registers.TYPES`, or text of so many bytes: `str8`.
        expect: content of the register if this model is right; None if it differs by device.
    """

    label: str
    function: Literal[3, 4]
    address: Address
    type: str
    order: str | None = None
    expect: int | str | None = None

    @property
    def words(self) -> int:
        """Number of registers."""
        return text_words(self.type) or TYPES[self.type].words


class ForbiddenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[forbidden]]`: addresses that no request may touch.

    Attributes:
        from_: first address.
        to: last address.
        why: effect of reading them.
    """

    function: Literal[1, 2, 3, 4]
    from_: Address = msgspec.field(name="from")
    to: Address
    why: str


class VectorRow(Vector, frozen=True, kw_only=True):
    """A `[[vector]]` of a Modbus model: the content of registers.

    Attributes:
        words: registers from `address` on, in hexadecimal, blanks ignored; of functions 1 and 2
            the packed bytes.
    """

    function: Literal[1, 2, 3, 4]
    address: Address
    words: Annotated[
        str,
        Meta(
            pattern=r"^[0-9A-Fa-f ]+$",
            description="Write the registers in hexadecimal digits in quotes, for example: "
            "{example}",
            examples=["0001 86A0"],
        ),
    ]

    @property
    def data(self) -> bytes:
        """The registers' bytes."""
        return bytes.fromhex(self.words)


class ModbusHead(ModelHead, frozen=True, kw_only=True):
    """The table `[model]` of a Modbus model.

    Attributes:
        max_registers: largest number of registers in one request.
        max_gap: largest number of unwanted registers that a request may include between wanted
            ones.
    """

    max_registers: Annotated[int, Meta(ge=1, le=125)] = 120
    max_gap: Annotated[int, Meta(ge=0, le=124)] = 16


class ModbusModel(Model, frozen=True, kw_only=True):
    """A meter model whose quantities lie in Modbus registers."""

    model: ModbusHead
    point: tuple[PointRow, ...]
    identity: tuple[IdentityRow, ...] = ()
    forbidden: tuple[ForbiddenRow, ...] = ()
    vector: tuple[VectorRow, ...] = ()

    def for_polling(self) -> "ModbusModel":
        """Return the model without the tables that polling does not use."""
        return msgspec.structs.replace(self, identity=(), vector=())

    def forbids(self, function: int, first: int, end: int) -> ForbiddenRow | None:
        """Return the rule against a request for the addresses from `first` to before `end`."""
        return next(
            (
                row
                for row in self.forbidden
                if row.function == function and row.from_ < end and first <= row.to
            ),
            None,
        )


def modbus_models(models: Mapping[str, Model]) -> dict[str, ModbusModel]:
    """Return the Modbus models among some models, by id."""
    return {name: model for name, model in models.items() if isinstance(model, ModbusModel)}
