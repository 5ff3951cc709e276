"""Find the registers of displayed numbers, print TOML for them, and let a person sign them off."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import Final

import click
import msgspec

from edge_agent.commissioning import display_search
from edge_agent.commissioning.display_search import (
    DisplayReading,
    FunctionCode,
    RegisterLocation,
    differing_keys,
)
from edge_agent.commissioning.search_ranges import (
    around_quantity,
    by_both_functions,
    without_forbidden,
)
from jieneng.cli.options import tr
from jieneng.cli.probe.printed_toml import found_blocks, print_toml
from jieneng.cli.probe.probe_request import parse_number
from jieneng.cli.probe.probe_session import ProbeSession, point_of
from jieneng.cli.probe.scan_steps import Recognition, recognise
from jieneng.cli.probe.sign_off_steps import check_against_site, sign_off
from jieneng.cli.progress import share_progress
from jieneng.metering.catalog.meter_model import Ratio
from jieneng.metering.catalog.modbus_points import ModbusModel, PointRow
from jieneng.metering.catalog.modbus_reads import ModbusRead
from jieneng.metering.errors import PeerError, Unanswered, UsageError
from jieneng.metering.quantities import CONSUMPTION, QUANTITIES
from jieneng.metering.spelling import nearest

_DEFAULT_ADDRESSES: Final = range(256)  # most register maps begin there
_MARGIN: Final = 16  # number of registers searched before and after the model's point
_MAX_LISTED: Final = 8  # largest number of locations printed for one display
_GAUGE_DRIFT: Final = 0.01  # relative change of a gauge between display and register reading


def search_displays(session: ProbeSession) -> bool:
    """Search the displayed numbers, report their registers, and sign them off if requested.

    Returns:
        False if a number was not found or not signed off, or if the unit does not answer.
    """
    request, meter = session.request, session.meter
    for quantity in filter(None, [request.quantity, *(name for name, _ in request.displays)]):
        _check_quantity(quantity)
    model_id = request.model or (meter.model if meter else None)
    model = session.find_model(model_id) if model_id else None
    if request.sign_off is not None:
        check_against_site(session)
    if not session.run(session.probe.is_present(session.unit, model, request.searched)):
        text = tr(
            "unit {unit} does not answer at {where}. Run the command without --unit and --display "
            "to find the units that do. A longer --timeout helps with slow gateways."
        )
        click.echo(text.format(unit=session.unit, where=session.link_address()))
        return False
    recognition = (
        Recognition([model], has_evidence=True) if model else recognise(session, session.unit)
    )
    return _DisplaySearch(session, recognition).run()


def _check_quantity(quantity: str) -> None:
    if quantity not in QUANTITIES:
        close = nearest(quantity, QUANTITIES)
        raise UsageError(
            "{quantity} is not a quantity. Did you mean {close}?"
            if close
            else "{quantity} is not a quantity. Known are: {known}.",
            quantity=quantity,
            close=close,
            known=", ".join(QUANTITIES),
        )


class _DisplaySearch:
    """The search for the registers of one unit's displays."""

    def __init__(self, session: ProbeSession, recognition: Recognition) -> None:
        self._session = session
        self._request = session.request
        self._recognition = recognition
        self._library_model: ModbusModel | None = None
        self._model: ModbusModel | None = None  # the variant of the model that the unit answers

    def run(self) -> bool:
        displays = self._choose_model()
        confirmed = [] if self._request.searched else list(filter(self._model_agrees, displays))
        others = [display for display in displays if display not in confirmed]
        candidates = self._locate(others) if others else []
        if self._request.again:
            confirmed = self._confirm_again(confirmed)
            candidates = self._narrow_down(others, candidates)
        for display in confirmed:
            self._report_confirmed(display)
        for display, locations in zip(others, candidates, strict=True):
            self._report_locations(display, locations)
        best = [locations[0] for locations in candidates if locations]
        if best or confirmed:
            models = self._library_model, self._model
            print_toml(*found_blocks(self._session, *models, confirmed, best))
        succeeded = len(confirmed) + len(best) == len(displays)
        if self._request.sign_off is not None:
            succeeded = sign_off(self._session, self._request.sign_off, displays)
        return succeeded

    def _choose_model(self) -> list[DisplayReading]:
        """Choose the first model that reads a display correctly, or else the best one.

        Returns:
            The displays, interpreted by the medium and the ratios of this model.
        """
        models = self._recognition.models
        if len(models) > 1:
            for model in models:
                displays = self._displays_by(model)
                if any(map(self._model_agrees, displays)):
                    return displays
        return self._displays_by(models[0] if self._recognition.has_evidence else None)

    def _displays_by(self, model: ModbusModel | None) -> list[DisplayReading]:
        self._library_model = model
        self._model = model and self._session.readable_variant(model)
        return [self._display(quantity, shown) for quantity, shown in self._request.displays]

    def _point(self, quantity: str) -> PointRow | None:
        return point_of(self._model, quantity)

    def _display(self, typed_quantity: str | None, shown: Decimal) -> DisplayReading:
        medium = self._model.model.medium if self._model else "electricity"
        quantity = typed_quantity or self._request.quantity or CONSUMPTION[medium]
        is_counter = QUANTITIES[quantity].kind == "counter"
        return DisplayReading(
            quantity,
            shown,
            possible_increase=self._session.possible_increase(quantity) if is_counter else 0.0,
            tolerance=0.0 if is_counter else _GAUGE_DRIFT * abs(float(shown)),
            ratios=self._possible_ratios(quantity),
        )

    def _possible_ratios(self, quantity: str) -> dict[tuple[Ratio, ...], float]:
        """Return the ratios by which a display of primary values may have multiplied."""
        row = self._point(quantity)
        combinations: list[tuple[Ratio, ...]] = (
            [row.ratio] if row else [("ct",), ("pt",), ("ct", "pt")]
        )
        ratios: dict[tuple[Ratio, ...], float] = {(): 1.0}
        for names in combinations:
            factor = 1.0
            for name in names:
                factor *= self._session.ratios[name]
            if factor not in ratios.values():
                ratios[names] = factor
        return ratios

    def _model_agrees(self, display: DisplayReading) -> bool:
        """Return True if the model reads the displayed number on either transformer side."""
        if self._model is None or self._point(display.quantity) is None:
            return False
        try:
            values = self._session.read_both_sides(self._model, display.quantity)
        except (Unanswered, PeerError):  # the unit does not have these registers
            return False
        return any(map(display.matches, values.values()))

    def _locate(self, displays: Sequence[DisplayReading]) -> list[list[RegisterLocation]]:
        """Return the locations of each display, most likely first."""
        registers: dict[tuple[FunctionCode, int], bytes] = {}
        locations: list[list[RegisterLocation]] = [[] for _ in displays]
        for ranges in self._search_ranges(displays):
            with share_progress(tr("Reading registers")) as report_progress:
                registers |= self._session.run(
                    self._session.probe.read_registers(self._session.unit, ranges, report_progress)
                )
            locations = [
                list(display_search.find_locations(display, registers)) for display in displays
            ]
            if all(locations):
                break
        order_index = display_search.common_order_index(locations)
        return [
            display_search.rank(candidates, self._point(display.quantity), order_index)
            for display, candidates in zip(displays, locations, strict=True)
        ]

    def _search_ranges(
        self, displays: Sequence[DisplayReading]
    ) -> list[list[tuple[FunctionCode, range]]]:
        """Return groups of ranges; a group is searched only if earlier groups found nothing."""
        searches = []
        if self._request.searched is None and self._model is not None:
            searches.append(
                [
                    span
                    for display in displays
                    for span in around_quantity(self._model, display.quantity, _MARGIN)
                ]
            )
        searches.append(list(by_both_functions(self._request.searched or _DEFAULT_ADDRESSES)))
        if self._model is None:
            return searches
        return [list(without_forbidden(self._model, ranges)) for ranges in searches]

    def _confirm_again(self, confirmed: Sequence[DisplayReading]) -> list[DisplayReading]:
        """Return the displays that the model also reads correctly the second time."""
        still = []
        for display in confirmed:
            if self._model_agrees(self._look_again(display, 1)):
                still.append(display)
            else:
                self._report_locations(display, [])
        return still

    def _narrow_down(
        self,
        displays: Sequence[DisplayReading],
        candidates: Sequence[Sequence[RegisterLocation]],
    ) -> list[list[RegisterLocation]]:
        """Return the locations that also contain the number displayed the second time."""
        narrowed = []
        for display, locations in zip(displays, candidates, strict=True):
            now = self._look_again(display, len(locations))
            narrowed.append([found for found in locations if now.matches(self._read_value(found))])
        return narrowed

    def _look_again(self, display: DisplayReading, locations: int) -> DisplayReading:
        """Ask the person for the number that the display shows now, and return it."""
        text = tr("{count} locations match. Number of {quantity} on the display now").format(
            count=locations, quantity=display.quantity
        )
        shown = click.prompt(text, value_proc=parse_number)
        return msgspec.structs.replace(display, shown=shown)

    def _read_value(self, location: RegisterLocation) -> float:
        read = ModbusRead(location.function, location.address, location.words, (), lambda _: ())
        data = self._session.run(self._session.probe.request(self._session.unit, read))
        return location.decode(data)

    def _report_confirmed(self, display: DisplayReading) -> None:
        model_id = self._model.id if self._model else ""
        text = tr("{quantity} {shown}: found where model {model} has it.")
        click.echo(text.format(quantity=display.quantity, shown=display.shown, model=model_id))

    def _report_locations(
        self, display: DisplayReading, locations: Sequence[RegisterLocation]
    ) -> None:
        if not locations:
            text = tr(
                "{quantity} {shown} is in none of the registers that were read. Search other"
                " registers with --from and --to. Give --ct and --pt if transformers are"
                " connected, and --rated-max if the counter runs fast."
            )
            click.echo(text.format(quantity=display.quantity, shown=display.shown))
            return
        click.echo(
            tr("{quantity} {shown}: {count} locations match.").format(
                quantity=display.quantity, shown=display.shown, count=len(locations)
            )
        )
        for location in islice(locations, _MAX_LISTED):
            click.echo("  " + self._location_text(location))
        if len(locations) > _MAX_LISTED:
            click.echo("  " + tr("and {count} more").format(count=len(locations) - _MAX_LISTED))
        best = locations[0]
        is_models_point = self._point(display.quantity) and not self._differing_keys(best)
        if not is_models_point and not all(location.overlaps(best) for location in locations):
            click.echo(
                tr(
                    "Several locations match: to tell them apart, use --again when the display has "
                    "changed."
                )
            )

    def _differing_keys(self, location: RegisterLocation) -> tuple[str, ...]:
        row = self._point(location.quantity)
        return differing_keys(location, row) if row else ()

    def _location_text(self, location: RegisterLocation) -> str:
        text = tr(
            "function {function}, address 0x{address:04X} ({address}), {type} {order}, "
            "scale {scale}"
        ).format(
            function=location.function,
            address=location.address,
            type=location.type,
            order=location.order,
            scale=f"{10.0**location.exponent:g}" + "".join(f" x {name}" for name in location.ratio),
        )
        remark = self._remark(location)
        return f"{text}: {remark}" if remark else text

    def _remark(self, location: RegisterLocation) -> str:
        """Return a text that compares a location with the model's point; "" if it has none."""
        row = self._point(location.quantity)
        if row is None or self._model is None:
            return ""
        model_id, differing = self._model.id, self._differing_keys(location)
        offset = location.address - row.address
        if not differing:
            return tr("same as in model {model}").format(model=model_id)
        if differing == ("address",) and abs(offset) == 1:
            text = (
                tr("addresses differ by one: they are one higher here than in model {model}")
                if offset > 0
                else tr("addresses differ by one: they are one lower here than in model {model}")
            )
            return text.format(model=model_id)
        keys = ", ".join(differing)
        return tr("different from model {model}: {keys}").format(model=model_id, keys=keys)
