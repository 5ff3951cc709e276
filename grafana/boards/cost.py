"""Board 费用: costs by month and price period, average price, largest consumers, bills."""

from collections.abc import Mapping
from typing import Final

from grafana import colours
from grafana.board_frame import BoardText, Words, frame
from grafana.board_parts.consumption_panels import MEDIUM_COLOURS
from grafana.board_parts.figure_panels import SCOPE
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, Overrides
from grafana.panel_layout import PanelRow
from grafana.panels import PanelText, bar_chart, bar_gauge, stat_panel, table_panel
from grafana.queries import latest, newest_rows, one_of
from grafana.variables import scope_variable, site_variable, year_variable
from grafana.verdicts import name_values
from jieneng.metering import schema
from jieneng.metering.quantities import Medium

_MONTHS: Final = "/^$period-[0-9]{2}$/"
_SCOPES: Final = "/^(site|area|institution)$/"
#: Rows of the table of accounts: a year of ten accounts.
_MAX_ACCOUNT_MONTHS: Final = 120
_LONG: Final[Json] = {"timeFrom": "10y", "hideTimeOverride": True}


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(
        tr("Costs"), tr("Costs by month and price period, average price, largest consumers, bills")
    )
    variables = [site_variable(site), scope_variable(site), year_variable(site)]
    return frame("cost", text, site, variables, _rows(site), begin="now-1y", refresh="15m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    others = [medium for medium in site.media if medium != "electricity"]
    return [
        PanelRow(
            9,
            (_latest_month(site), _by_price_period(site)),
            tr("Electricity · ${scope:text} · $period"),
            widths=(6, 18),
        ),
        PanelRow(8, (_amounts_by_price_period(site), _average_price(site))),
        PanelRow(
            9,
            (_largest(site), _by_building(site)),
            tr("Buildings in the latest month of $period"),
            widths=(10, 14),
        ),
        *([PanelRow(8, tuple(_of_medium(site, one) for one in others))] if others else []),
        PanelRow(8, (_accounts(site),), tr("Accounts and bills · $period")),
    ]


def _where(medium: Medium = "electricity") -> dict[str, str]:
    return {**SCOPE, "kind": _SCOPES, "medium": medium, "period": _MONTHS}


def _empty(site: BoardSite) -> str:
    return site.tr(
        "No costs in this year. Write accounts and prices into tariffs.toml. Costs are computed"
        " once a day."
    )


def _text(site: BoardSite, title: str, description: str) -> PanelText:
    return PanelText(title, description, _empty(site))


def _period_overrides(site: BoardSite, suffix: str) -> Overrides:
    """Return overrides for the fields of the price periods, in a colour for each."""
    tr = site.tr
    return {
        suffix.format("sharp"): FieldOverride(tr("Sharp"), colour=colours.PURPLE),
        suffix.format("peak"): FieldOverride(tr("Peak"), colour=colours.VERMILION),
        suffix.format("flat"): FieldOverride(tr("Flat"), colour=colours.ORANGE),
        suffix.format("valley"): FieldOverride(tr("Valley"), colour=colours.BLUE),
        suffix.format("deep_valley"): FieldOverride(tr("Deep valley"), colour=colours.SKY),
    }


def _stacked_months(text: PanelText, unit: str, overrides: Overrides) -> Json:
    query = latest(schema.COST, tuple(overrides), _where(), ("period",))
    panel = bar_chart(text, unit, query, overrides, "period", stacked=True)
    return {**panel, **_LONG}


def _by_price_period(site: BoardSite) -> Json:
    tr = site.tr
    text = _text(
        site,
        tr("Cost by month and price period"),
        tr(
            "Consumption of each price period times its price, and the charge for demand; a scope"
            " has its share by consumption. The running month is until yesterday."
        ),
    )
    demand = {"demand_yuan": FieldOverride(tr("Demand"), colour=colours.GREY)}
    return _stacked_months(
        text, site.unit("yuan"), {**_period_overrides(site, "{}_yuan"), **demand}
    )


def _amounts_by_price_period(site: BoardSite) -> Json:
    tr = site.tr
    text = _text(
        site,
        tr("Consumption by month and price period"),
        tr("Consumption in the hours of each price period of the tariff."),
    )
    return _stacked_months(text, site.unit("kWh"), _period_overrides(site, "energy_{}_kwh"))


def _latest_month(site: BoardSite) -> Json:
    tr = site.tr
    price = site.unit("yuan/kWh")
    overrides = {
        schema.COST_YUAN: FieldOverride(tr("Cost"), colour=colours.TEXT),
        "energy_kwh": FieldOverride(tr("Consumption"), site.unit("kWh"), colour=colours.TEXT),
        "average_price": FieldOverride(tr("Average price"), price, 4, colour=colours.TEXT),
        schema.COVERAGE: FieldOverride(tr("Coverage"), "percentunit", 1, colour=colours.TEXT),
    }
    text = _text(
        site,
        tr("Latest month"),
        tr("Cost of the latest month of the year until yesterday, with the charge for demand."),
    )
    query = latest(schema.COST, tuple(overrides), _where())
    return {**stat_panel(text, site.unit("yuan"), [query], overrides), **_LONG}


def _average_price(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {"average_price": FieldOverride(tr("Average price"), colour=colours.BLUE)}
    text = _text(
        site,
        tr("Average price by month"),
        tr("Cost of energy and demand, divided by the consumption."),
    )
    query = latest(schema.COST, tuple(overrides), _where(), ("period",))
    return {**bar_chart(text, site.unit("yuan/kWh"), query, overrides, "period"), **_LONG}


def _largest(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {"scope": FieldOverride(values=name_values(site.buildings))}
    text = _text(
        site,
        tr("Largest costs of electricity"),
        tr("Cost of each building in the latest month, largest first."),
    )
    where = {**_where(), "scope": one_of(tuple(site.buildings))}
    query = latest(schema.COST, (schema.COST_YUAN,), where, ("scope",))
    panel = bar_gauge(text, site.unit("yuan"), query, overrides, value=schema.COST_YUAN)
    return {**panel, **_LONG}


def _by_building(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {
        "scope": FieldOverride(tr("Building"), values=name_values(site.buildings), width=150),
        "energy_kwh": FieldOverride(tr("Consumption"), site.unit("kWh")),
        schema.COST_YUAN: FieldOverride(tr("Cost"), decimals=0),
        "average_price": FieldOverride(tr("Average price"), site.unit("yuan/kWh"), 4, width=130),
        "least_yuan": FieldOverride(tr("At least"), decimals=0),
        "greatest_yuan": FieldOverride(tr("At most"), decimals=0),
        schema.COVERAGE: FieldOverride(tr("Coverage"), "percentunit", 1, width=90),
    }
    text = _text(
        site,
        tr("Electricity of the buildings"),
        tr(
            "Each building pays the account's prices for its own hours. If a meter is not read"
            " often enough to know the hours, the cost is between the least and the greatest one."
        ),
    )
    where = {**_where(), "scope": one_of(tuple(site.buildings))}
    query = latest(schema.COST, tuple(overrides)[1:], where, ("scope",))
    panel = table_panel(text, site.unit("yuan"), [query], overrides, sort=(schema.COST_YUAN, True))
    return {**panel, **_LONG}


_OTHERS: Final[Mapping[Medium, Words]] = {
    "water": Words("Cost of water by month"),
    "gas": Words("Cost of gas by month"),
    "heat": Words("Cost of heat by month"),
}


def _of_medium(site: BoardSite, medium: Medium) -> Json:
    """Return a bar chart of the cost of a medium by month."""
    tr = site.tr
    overrides = {
        schema.COST_YUAN: FieldOverride(tr("Cost"), colour=MEDIUM_COLOURS[medium]),
    }
    text = _text(
        site,
        tr(_OTHERS[medium].title),
        tr("Consumption times price. With steps, each unit costs the average of the month."),
    )
    query = latest(schema.COST, (schema.COST_YUAN,), _where(medium), ("period",))
    return {**bar_chart(text, site.unit("yuan"), query, overrides, "period"), **_LONG}


def _accounts(site: BoardSite) -> Json:
    tr = site.tr
    overrides = {
        "scope": FieldOverride(tr("Account"), "string", width=150),
        "period": FieldOverride(tr("Month"), "string", width=90),
        schema.COST_YUAN: FieldOverride(tr("Computed cost"), decimals=0),
        "billed_yuan": FieldOverride(tr("Billed cost"), decimals=0),
        "cost_difference_pct": FieldOverride(tr("Difference of the cost"), "percent", 1),
        "amount_difference_pct": FieldOverride(tr("Difference of the amount"), "percent", 1),
        "unmetered_yuan": FieldOverride(tr("Not measured by sub-meters"), decimals=0),
        schema.COVERAGE: FieldOverride(tr("Coverage"), "percentunit", 1, width=90),
    }
    text = _text(
        site,
        tr("Accounts by month"),
        tr(
            "Cost of each account by meters and tariff, and the bills that end in the month. A bill"
            " is compared over its own days."
        ),
    )
    where = {"site": "$site", "kind": "account", "period": _MONTHS}
    tags, fields = tuple(overrides)[:2], tuple(overrides)[2:]
    query = newest_rows(schema.COST, fields, tags, where, limit=_MAX_ACCOUNT_MONTHS)
    panel = table_panel(text, site.unit("yuan"), [query], overrides, sort=("period", True))
    return {**panel, **_LONG}
