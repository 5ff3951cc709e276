"""Meter models: which register holds which quantity. Each model is one TOML file with its source.

Pure: parsed documents in, models out. Reading the files is `jieneng.site_folder`'s work.
What may stand in one is `catalog_check`'s.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering import units
from jieneng.metering.quantities import QUANTITIES, Medium
from jieneng.metering.registers import BIT, TYPES, Field, orders, text_words

Confidence = Literal["manual", "implementation", "reported"]
Ratio = Literal["ct", "pt"]
Address = Annotated[int, Meta(ge=0, le=65535)]

#: Functions that read single bits: coils and discrete inputs.
BIT_FUNCTIONS: Final = frozenset({1, 2})

#: Characters of a model's id, at most.
LONGEST_ID: Final = 48


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A register that belongs to the number of a point.

    Attributes:
        address: as sent on the wire, 0-based.
        type: how it lies there, a name in `registers.TYPES`.
        order: byte order; big-endian where omitted.
    """

    address: Address
    type: str
    order: str | None = None

    @property
    def words(self) -> int:
        """Registers it takes."""
        return 1 if self.type == BIT else TYPES[self.type].words

    @property
    def byte_order(self) -> str:
        """The order in letters, never omitted."""
        return self.order or orders(self.words)[0]


class FractionRow(PartRow, frozen=True, kw_only=True):
    """The register of what is behind the decimal point.

    Attributes:
        scale: what one unit of it is worth, in units of the point's register.
    """

    scale: Decimal = Decimal(1)


class PointRow(PartRow, frozen=True, kw_only=True):
    """A `[[point]]`: one quantity in one place.

    Attributes:
        function: Modbus function that reads it: 1 coils, 2 discrete inputs, 3 holding, 4 input
            registers.
        type: as of a part; `bit` with functions 1 and 2.
        scale: what one unit of the register is worth, in `unit`. Kept as the decimal written.
        unit: the unit of register times scale; the quantity's canonical one where omitted.
        ratio: the transformer ratios that the register does not contain.
        modulus: where the value wraps, in the canonical unit, before ratios.
        bits: the first and the last bit, where the register holds other things too; 0 the lowest.
        unknown: the pattern with which the register says "no value".
        fraction: what is added to the number before it is scaled.
        exponent: the register that says with which power of ten the number is to be multiplied.
        every: it is asked for in every so many polls; 1 is all.
    """

    quantity: str
    function: Literal[1, 2, 3, 4]
    type: str = BIT
    scale: Decimal = Decimal(1)
    unit: str | None = None
    ratio: tuple[Ratio, ...] = ()
    modulus: Annotated[float, Meta(gt=0)] | None = None
    bits: tuple[int, int] | None = None
    unknown: Annotated[int, Meta(ge=0)] | None = None
    fraction: FractionRow | None = None
    exponent: PartRow | None = None
    every: Annotated[int, Meta(ge=1)] = 1

    @property
    def parts(self) -> tuple[PartRow, ...]:
        """The point and the registers that belong to its number."""
        return (self, *(part for part in (self.fraction, self.exponent) if part is not None))

    @property
    def first(self) -> int:
        """The lowest address that must be read for it."""
        return min(part.address for part in self.parts)

    @property
    def end(self) -> int:
        """One more than the highest such address."""
        return max(part.address + part.words for part in self.parts)

    def canonical_scale(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> Fraction:
        """What one unit of the register is worth in the canonical unit, ratios applied."""
        canonical = QUANTITIES[self.quantity].unit
        scale = Fraction(self.scale) * units.factor(self.unit or canonical, canonical)
        for ratio in self.ratio:
            scale *= ct if ratio == "ct" else pt
        return scale

    @property
    def float_step(self) -> float:
        """By which share of the value its steps grow: 0 where all are alike."""
        return 0.0 if self.type == BIT else TYPES[self.type].float_step

    def step(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> float:
        """The smallest step at 0 [canonical unit, ratios applied]; 0 of a float.

        Behind an exponent nobody knows it, and 0 is said, too.
        """
        return float(self.canonical_scale(ct, pt) * self._finest())

    def step_at(
        self, value: float, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)
    ) -> float:
        """The smallest step at a value, which is given with its ratios applied."""
        return self.step(ct, pt) + self.float_step * abs(value)

    def _finest(self) -> Fraction:
        """The step that is alike everywhere, in units of the register."""
        if self.type == BIT or self.exponent is not None:
            return Fraction(0)
        if self.fraction is None:
            return Fraction(0 if self.float_step else 1)
        # What is behind the decimal point is less than 1, and so are a float's steps there.
        return Fraction(TYPES[self.fraction.type].float_step or self.fraction.scale)

    def field(self, start: int, ct: Fraction, pt: Fraction) -> Field:
        """The point in a block that begins at an address."""
        fraction, exponent = self.fraction, self.exponent
        return Field(
            self.address - start,
            self.type,
            self.byte_order,
            self.canonical_scale(ct, pt),
            bits=self.bits,
            unknown=self.unknown,
            fraction=_field(fraction, start, Fraction(fraction.scale)) if fraction else None,
            exponent=_field(exponent, start, Fraction(1)) if exponent else None,
        )


def _field(part: PartRow, start: int, scale: Fraction) -> Field:
    return Field(part.address - start, part.type, part.byte_order, scale)


class IdentityRow(msgspec.Struct, frozen=True, kw_only=True):
    """An `[[identity]]`: what the device says of itself. Read when it is set up, never polled.

    Attributes:
        label: what it is: type code, serial number, a setting that the scales depend on.
        type: a name in `registers.TYPES`, or text of so many bytes: `str8`.
        expect: what must stand there if this model is right; None where it differs by device.
    """

    label: str
    function: Literal[3, 4]
    address: Address
    type: str
    order: str | None = None
    expect: int | str | None = None

    @property
    def words(self) -> int:
        """Registers it takes."""
        return text_words(self.type) or TYPES[self.type].words


class ForbiddenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[forbidden]]`: addresses that no request may touch.

    Attributes:
        from_: the first, and ...
        to: ... the last of them.
        why: what happens otherwise.
    """

    function: Literal[1, 2, 3, 4]
    from_: Address = msgspec.field(name="from")
    to: Address
    why: str


class VectorRow(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[vector]]`: bytes of the wire and what they say. The test of a model.

    Attributes:
        words: from `address` on, in hexadecimal, blanks ignored; of functions 1 and 2 the bytes.
        gives: values in canonical units, without ratios.
        unknown: quantities of which it says that there is no value.
        note: where it is from: a manual's example, a recorded answer, worked out by hand.
    """

    function: Literal[1, 2, 3, 4]
    address: Address
    words: Annotated[str, Meta(pattern=r"^[0-9A-Fa-f ]+$")]
    gives: Mapping[str, float] = {}
    unknown: tuple[str, ...] = ()
    note: str

    @property
    def data(self) -> bytes:
        """The bytes."""
        return bytes.fromhex(self.words)


class ModelHead(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[model]`.

    Attributes:
        source: the manual, with table and page, or the implementation it was taken from.
        max_registers: the most that one request may ask for.
        max_gap: unwanted registers that may be read along between wanted ones.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=LONGEST_ID)]
    name: str
    medium: Medium
    source: Annotated[str, Meta(min_length=8)]
    confidence: Confidence
    max_registers: Annotated[int, Meta(ge=1, le=125)] = 120
    max_gap: Annotated[int, Meta(ge=0, le=124)] = 16


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A file of `jieneng/metering/models`, or one beside `site.toml`."""

    model: ModelHead
    point: tuple[PointRow, ...]
    identity: tuple[IdentityRow, ...] = ()
    forbidden: tuple[ForbiddenRow, ...] = ()
    vector: tuple[VectorRow, ...] = ()

    @property
    def id(self) -> str:
        """The name that `site.toml` uses."""
        return self.model.id

    def forbids(self, function: int, first: int, end: int) -> ForbiddenRow | None:
        """What a request for the addresses from `first` to before `end` must not touch."""
        return next(
            (
                row
                for row in self.forbidden
                if row.function == function and row.from_ < end and first <= row.to
            ),
            None,
        )
