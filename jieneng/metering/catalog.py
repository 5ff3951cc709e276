"""Meter models: which register holds which quantity. Each model is one TOML file with its source.

Pure: parsed documents in, models out. Reading the files is `jieneng.site_folder`'s work.

Law: a value that is made of several registers lies in one request with all of them, or the model
is refused: two answers may be of two moments.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering import units
from jieneng.metering.errors import Problem
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.registers import BIT, TYPES, Field, orders, text_words

Confidence = Literal["manual", "implementation", "reported"]
Ratio = Literal["ct", "pt"]
Address = Annotated[int, Meta(ge=0, le=65535)]
_Path = tuple[str | int, ...]

#: Functions that read single bits: coils and discrete inputs.
BIT_FUNCTIONS: Final = frozenset({1, 2})
# A scale beyond is no meter's. 0 would read 0 for ever, 1e400 is more than a float can hold.
_SCALES: Final = (Decimal("1e-18"), Decimal("1e18"))
#: Different `every` of one meter. Each new one may double the plans that its meters need.
MOST_PACES: Final = 5


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

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=48)]
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


def check(model: Model) -> list[Problem]:
    """What a model says that can't be: every problem, each with the path to its place."""
    problems = []
    seen: set[str] = set()
    for number, row in enumerate(model.point):
        path = ("point", number)
        if problem := next(_check_row(row, model, path), None):
            problems.append(problem)
        if row.quantity in seen:
            problems.append(
                Problem(
                    text="quantity {quantity} stands twice.",
                    mend="Keep the one point that the manual calls the billing value.",
                    values={"quantity": row.quantity},
                    path=(*path, "quantity"),
                )
            )
        seen.add(row.quantity)
    for number, identity in enumerate(model.identity):
        words = text_words(identity.type)
        if words is None:
            problems += _check_type(identity.type, ("identity", number))
        if words or identity.type in TYPES:
            known = ("AB", "BA") if words else orders(identity.words)
            problems += _check_order(identity.type, identity.order, known, ("identity", number))
    return [*problems, *_check_counter(model)]


def _check_counter(model: Model) -> Iterator[Problem]:
    """The counter that consumption is taken from is there, and in every poll."""
    counter = CONSUMPTION[model.model.medium]
    found = next((n for n, row in enumerate(model.point) if row.quantity == counter), None)
    if found is None:
        yield Problem(
            text="model {model} has no point for {quantity}, so it can't measure consumption.",
            mend="Add a [[point]] with this quantity.",
            values={"model": model.id, "quantity": counter},
            path=("model", "medium"),
        )
    elif model.point[found].every > 1:
        yield Problem(
            text="{quantity} is the consumption and must be in every poll.",
            mend="Remove every here; the meter's interval_s says how often it is polled.",
            values={"quantity": counter},
            path=("point", found, "every"),
        )
    if len({1, *(row.every for row in model.point)}) > MOST_PACES:
        yield Problem(
            text="the points have more than {most} different values of every.",
            mend="Let points that may be read together share one.",
            values={"most": MOST_PACES},
            path=("model",),
        )


def _check_row(row: PointRow, model: Model, path: _Path) -> Iterator[Problem]:
    """What is wrong with a point, what the rest depends on first."""
    yield from _check_quantity(row, model.model, path)
    yield from _check_bit(row, path)
    if row.type == BIT:
        yield from _check_place(row, model, path)
        return
    for key, part in (("", row), ("fraction", row.fraction), ("exponent", row.exponent)):
        if part is not None:
            where = (*path, key) if key else path
            yield from _check_type(part.type, where)
            yield from _check_order(part.type, part.order, orders(part.words), where)
        if isinstance(part, PointRow | FractionRow):
            yield from _check_scale(part.scale, where)
    yield from _check_bits(row, path)
    yield from _check_place(row, model, path)
    yield from _check_unit(row, path)


def _check_quantity(row: PointRow, head: ModelHead, path: _Path) -> Iterator[Problem]:
    quantity = QUANTITIES.get(row.quantity)
    if quantity is None or head.medium not in quantity.media:
        fitting = sorted(name for name, q in QUANTITIES.items() if head.medium in q.media)
        yield Problem(
            text="{quantity} is no quantity of {medium}.",
            mend="Use one of: {known}.",
            values={
                "quantity": row.quantity,
                "medium": head.medium,
                "known": ", ".join(fitting),
            },
            path=(*path, "quantity"),
        )


def _check_bit(row: PointRow, path: _Path) -> Iterator[Problem]:
    if (row.type == BIT) != (row.function in BIT_FUNCTIONS):
        yield Problem(
            text="function {function} does not read a {type}.",
            mend="Functions 1 and 2 read bits and need no type; 3 and 4 read registers, and bits "
            "of them with bits = [first, last].",
            values={"function": row.function, "type": row.type},
            path=(*path, "function"),
        )
    plain = PointRow(
        quantity=row.quantity, function=row.function, address=row.address, every=row.every
    )
    if row.type == BIT and row != plain:
        yield Problem(
            text="a bit is 0 or 1 and has nothing but its address.",
            mend="Remove order, scale, unit, ratio and what else belongs to registers.",
            path=path,
        )


def _check_type(name: str, path: _Path) -> Iterator[Problem]:
    if name not in TYPES:
        yield Problem(
            text="{type} is no register type.",
            mend="Use one of: {known}.",
            values={"type": name, "known": ", ".join(TYPES)},
            path=(*path, "type"),
        )


def _check_order(
    name: str, order: str | None, known: Sequence[str], path: _Path
) -> Iterator[Problem]:
    if order is not None and order not in known:
        yield Problem(
            text="{order} is no byte order of a {type}.",
            mend="Use one of: {known}.",
            values={"order": order, "type": name, "known": ", ".join(dict.fromkeys(known))},
            path=(*path, "order"),
        )


def _check_scale(scale: Decimal, path: _Path) -> Iterator[Problem]:
    least, most = _SCALES
    if not least <= abs(scale) <= most:
        yield Problem(
            text="with scale = {scale} no register gives a reading.",
            mend="Write what one unit of the register is worth, as the manual says: 0.01, 1, 1000.",
            values={"scale": scale},
            path=(*path, "scale"),
        )


def _check_bits(row: PointRow, path: _Path) -> Iterator[Problem]:
    if row.bits is not None and (
        not row.type.startswith("u") or not 0 <= row.bits[0] <= row.bits[1] < TYPES[row.type].bits
    ):
        yield Problem(
            text="a {type} has no bits {first} to {last}.",
            mend="Use an unsigned type, and write the lower bit first; 0 is the lowest.",
            values={"type": row.type, "first": row.bits[0], "last": row.bits[1]},
            path=(*path, "bits"),
        )
    if row.unknown is not None and (row.bits is not None or row.unknown >= 1 << 16 * row.words):
        yield Problem(
            text="a {type} can't say {unknown} for an unknown value.",
            mend="Write the pattern of all its registers in hexadecimal, without bits.",
            values={"type": row.type, "unknown": f"0x{row.unknown:X}"},
            path=(*path, "unknown"),
        )


def _check_place(row: PointRow, model: Model, path: _Path) -> Iterator[Problem]:
    if row.end > 65536 or row.end - row.first > model.model.max_registers:
        yield Problem(
            text="the value does not fit in one request.",
            mend="Check address, type and max_registers against the manual.",
            path=(*path, "address"),
        )
    if forbidden := model.forbids(row.function, row.first, row.end):
        yield Problem(
            text="the value lies in or across the forbidden addresses {first} to {last}.",
            mend="Check both against the manual; a value and its parts are read in one request.",
            values={"first": forbidden.from_, "last": forbidden.to},
            path=(*path, "address"),
        )


def _check_unit(row: PointRow, path: _Path) -> Iterator[Problem]:
    canonical = QUANTITIES[row.quantity].unit
    if row.unit is not None and row.unit not in units.alike(canonical):
        yield Problem(
            text="{unit} is no unit of {quantity}, whose unit is {canonical}.",
            mend="Use a unit of the same dimension: {known}.",
            values={
                "unit": row.unit,
                "quantity": row.quantity,
                "canonical": canonical,
                "known": ", ".join(units.alike(canonical)),
            },
            path=(*path, "unit"),
        )
