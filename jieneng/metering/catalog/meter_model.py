"""Structs of a meter model: the quantities of a kind of meter, and how its numbers are scaled.

These structs are common to all protocols. Addresses in the device depend on the protocol:
`modbus_points` has the structs for Modbus, and `model_forms` lists all protocols.

Each model is one TOML file with its source. Pure: `jieneng.site_folder` reads the files.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from jieneng.metering import units
from jieneng.metering.quantities import QUANTITIES, Medium

Confidence = Literal["manual", "implementation", "reported"]
Ratio = Literal["ct", "pt"]

#: Longest id of a model [characters].
LONGEST_ID: Final = 48

#: Step of a 32-bit float, as a share of its value (IEEE 754).
SINGLE_FLOAT_STEP: Final = 2.0**-23


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[point]]`: one quantity, and how the number in the device becomes its value.

    Attributes:
        quantity: name of a row in `quantities.py`.
        scale: value of one unit of the device's number, in `unit`; the exact decimal of the file.
        unit: unit of the number multiplied by `scale`; if omitted, the quantity's canonical unit.
        ratio: transformer ratios that are not yet included in the device's number.
        modulus: value at which the counter rolls over to 0, in the canonical unit, before ratios.
        every: the quantity is read in every nth poll, with n = `every`; 1 for every poll.
    """

    quantity: str
    scale: Decimal = Decimal(1)
    unit: str | None = None
    ratio: tuple[Ratio, ...] = ()
    modulus: Annotated[float, Meta(gt=0)] | None = None
    every: Annotated[int, Meta(ge=1)] = 1

    def canonical_scale(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> Fraction:
        """Return the value of one unit of the device's number [canonical unit, ratios applied]."""
        canonical = QUANTITIES[self.quantity].unit
        scale = Fraction(self.scale) * units.conversion_factor(self.unit or canonical, canonical)
        for ratio in self.ratio:
            scale *= ct if ratio == "ct" else pt
        return scale

    @property
    def float_step(self) -> float:
        """Step between neighbouring values as a share of the value; 0 where all steps are equal."""
        return 0.0

    def step(self, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)) -> float:
        """Return the smallest step at 0 [canonical unit, ratios applied]; 0 for a float.

        The result is also 0 if the step is not known, as for a number with an exponent.
        """
        return float(self.canonical_scale(ct, pt) * self._smallest_step())

    def step_at(
        self, value: float, ct: Fraction = Fraction(1), pt: Fraction = Fraction(1)
    ) -> float:
        """Return the smallest step at a value; both are with ratios applied."""
        return self.step(ct, pt) + self.float_step * abs(value)

    def no_values(self) -> tuple[float, ...]:
        """Return the numbers that mean "no value" [canonical unit, before ratios].

        There are none if the protocol marks a missing value in another way.
        """
        return ()

    def _smallest_step(self) -> Fraction:
        """Return the step at 0, in units of the device's number."""
        return Fraction(1)


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """A `[[vector]]`: bytes of a reply and the values that they mean, as a test of the model.

    Attributes:
        gives: values in canonical units, without ratios.
        unknown: quantities for which the bytes say that there is no value.
        note: origin of the bytes: a manual's example, a recorded answer, worked out by hand.
    """

    gives: Mapping[str, float] = {}
    unknown: tuple[str, ...] = ()
    note: str


class ModelHead(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[model]`.

    Attributes:
        source: the manual, with table and page, or the implementation it was taken from.
        confidence: kind of that source.
        limits: source of two limits, in words: the value at which the counter rolls over, written
            as a power such as `2^32 / 100`, and the largest request. Required in the library.
        protocol: protocol that the meter speaks, a key of `model_forms.MODEL_FORMS`.
    """

    id: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]*$",
            max_length=LONGEST_ID,
            description="Write lower-case letters, digits and hyphens in quotes, at most "
            "{longest} characters, for example: {example}",
            examples=["acrel-dtsd1352"],
        ),
    ]
    name: str
    medium: Medium
    source: Annotated[str, Meta(min_length=8, examples=["user manual, table 5, page 16"])]
    confidence: Confidence
    limits: str = ""
    protocol: str = "modbus"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A file of `jieneng/metering/models`, or one beside `site.toml`."""

    model: ModelHead
    point: tuple[Point, ...]
    vector: tuple[Vector, ...] = ()

    @property
    def id(self) -> str:
        """Id of the model, as `site.toml` writes it."""
        return self.model.id

    @property
    def protocol(self) -> str:
        """Name of the protocol that the meter speaks."""
        return self.model.protocol

    def for_polling(self) -> "Model":
        """Return the model without the tables that polling does not use."""
        return msgspec.structs.replace(self, vector=())
