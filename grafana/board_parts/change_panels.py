"""Panels of changes since the base year: carbon by cause, and further comparisons."""

from collections.abc import Mapping
from itertools import combinations
from typing import Final

from grafana import colours
from grafana.board_frame import board_link
from grafana.board_parts.figure_panels import SCOPE
from grafana.board_site import BoardSite
from grafana.field_display import FieldOverride, Json, good_from
from grafana.panels import PanelText, bar_chart, table_panel
from grafana.queries import latest, one_of
from grafana.verdicts import indicator_names, medium_names, name_values, split_values
from jieneng.locale.number_texts import unit
from jieneng.metering import schema
from jieneng.metering.indicators import INDICATORS
from jieneng.metering.quantities import MEDIA

#: Boards of years show the chosen year, also if it is outside their time range.
_LONG: Final[Json] = {"timeFrom": "10y", "hideTimeOverride": True}
_DAY: Final = "time:YYYY-MM-DD"


def carbon_steps(site: BoardSite, indicator: str) -> Json:
    """Return a waterfall chart: the base year, the effect of each cause, and the chosen year."""
    tr = site.tr
    steps = {
        "base": (tr("Base year"), colours.TEXT),
        "activity": (tr("Activity"), colours.TEXT),
        "supply": (tr("Supply"), colours.TEXT),
        "factor": (tr("Emission factor"), colours.TEXT),
        "area": (tr("Floor area"), colours.TEXT),
        "value": (tr("This year"), colours.TEXT),
    }
    parts = {
        "below": FieldOverride(spacer=True),
        "total": FieldOverride(tr("Carbon"), colour=colours.BLUE),
        "increase": FieldOverride(tr("Increase"), colour=colours.VERMILION),
        "decrease": FieldOverride(tr("Decrease"), colour=colours.GREEN),
    }
    note = tr(
        "From left to right: the base year, the effect of each cause, and this year, of the same"
        " days. Each bar begins at the level at which the one before it ends; a decrease hangs"
        " below that level, an increase stands on it. Activity: purchased amounts. Supply: classes"
        " of purchased electricity. Emission factor: published factors, each year its own. Floor"
        " area: only of carbon per area. The effects add up to the change. There is no chart"
        " without enough data of both years."
    )
    title = tr("{indicator}, by cause [{unit}]").format(
        indicator=site.indicator_name(indicator), unit=unit(INDICATORS[indicator].unit, tr)
    )
    text = PanelText(
        title,
        f"{site.definition(indicator)} {note}",
        tr("The change is not split. The table below says why."),
    )
    where = {**SCOPE, "indicator": indicator, "period": "$period"}
    query = latest(schema.CARBON_STEP, ("place", *parts), where, ("step",))
    overrides = {"step": FieldOverride(unit="string", values=steps), **parts}
    unit_id = site.indicator_unit(indicator)
    panel = bar_chart(text, unit_id, query, overrides, "step", stacked=True, order="place")
    return {**panel, **_LONG}


def carbon_sources(site: BoardSite) -> Json:
    """Return a table with the change of the chosen scope's carbon, by source and cause."""
    tr = site.tr
    media = medium_names(tr)
    sources = {
        schema.ALL_SOURCES: (tr("All sources"), colours.TEXT),
        "grid": (tr("Electricity of the grid"), colours.TEXT),
        "direct_green": (tr("Directly connected green power"), colours.TEXT),
        "traded": (tr("Green power of the market"), colours.TEXT),
        "gas": (media["gas"], colours.TEXT),
        "heat": (media["heat"], colours.TEXT),
    }
    overrides = {
        "source": FieldOverride(tr("Source"), values=sources, width=190),
        **_effects(site),
    }
    text = PanelText(
        f"{tr('Carbon by source and cause')} [{unit(INDICATORS['carbon_total'].unit, tr)}]",
        tr(
            "Carbon of each source in the base year and this year, with the factors of each year,"
            " and what each cause changed. Negative: less carbon."
        ),
        tr("No carbon in this year."),
    )
    where = {**SCOPE, "indicator": "carbon_total", "period": "$period"}
    query = latest(schema.CARBON_CHANGE, tuple(overrides)[1:], where, ("source",))
    return {
        **table_panel(text, "locale", [query], overrides, sort=("base", True)),
        **_LONG,
    }


def carbon_scopes(site: BoardSite) -> Json:
    """Return a table with the change of carbon per floor area by cause, of all scopes."""
    tr = site.tr
    name = "carbon_per_floor_area"
    overrides = {
        "scope": FieldOverride(
            tr("Scope"),
            values=name_values(site.scopes),
            link=(tr("Show this scope"), board_link("carbon", "scope")),
            width=150,
        ),
        **_effects(site, width=95),
        "area_effect": FieldOverride(tr("Floor area"), decimals=2, width=95),
        "coverage": FieldOverride(
            tr("Coverage"), "percentunit", 1, thresholds=good_from(site.coverage_floor), width=90
        ),
        "status": FieldOverride(tr("State"), values=split_values(tr), width=130),
        "base_period": FieldOverride(tr("Base year"), "string", width=90),
    }
    text = PanelText(
        f"{tr('Carbon per floor area by scope and cause')} [{unit(INDICATORS[name].unit, tr)}]",
        tr(
            "Change of each scope since the base year with each year's factors, and what each"
            " cause changed. Negative: less carbon. Without enough data of both years the change"
            " is not split, because missing consumption would look like a decrease."
        ),
        tr("No carbon in this year."),
    )
    where = {
        "site": "$site",
        "scope": one_of(tuple(site.scopes)),
        "indicator": name,
        "period": "$period",
        "source": schema.ALL_SOURCES,
    }
    query = latest(schema.CARBON_CHANGE, tuple(overrides)[1:], where, ("scope",))
    return {
        **table_panel(text, "locale", [query], overrides, sort=("change", False)),
        **_LONG,
    }


def _effects(site: BoardSite, width: int | None = None) -> dict[str, FieldOverride]:
    """Return the columns for the carbon of both years, and for the effects of both indicators."""
    tr = site.tr
    titles = {
        "base": tr("Base value"),
        "value": tr("Value"),
        "change": tr("Change"),
        "activity_effect": tr("Activity"),
        "supply_effect": tr("Supply"),
        "factor_effect": tr("Emission factor"),
    }
    return {name: FieldOverride(title, decimals=2, width=width) for name, title in titles.items()}


def comparisons(site: BoardSite) -> Json:
    """Return a table of the further comparisons of the chosen scope's figures."""
    tr = site.tr
    names = {
        schema.LIKE_FOR_LIKE: (tr("Like-for-like"), colours.TEXT),
        **name_values({one.id: one.name for one in site.baselines}),
    }
    overrides = {
        "indicator": FieldOverride(tr("Indicator"), values=indicator_names(tr), width=190),
        "comparison": FieldOverride(tr("Compared with"), values=names),
        "change_pct": FieldOverride(tr("Change"), "percent", 2, width=95),
        "plan_change_pct": FieldOverride(tr("Change, plan's base year"), "percent", 2, width=150),
        "value": FieldOverride(tr("Value"), decimals=1),
        "baseline": FieldOverride(tr("Base value"), decimals=1),
        "baseline_period": FieldOverride(tr("Base period"), "string", width=110),
        "left_out_areas": FieldOverride(tr("Left out"), "none", 0, width=80),
        "coverage": FieldOverride(
            tr("Coverage"), "percentunit", 1, thresholds=good_from(site.coverage_floor), width=90
        ),
    }
    note = tr(
        "These comparisons change no verdict. Like-for-like leaves out the areas that joined or"
        " left on both sides; further baselines are rows of plan.toml. Beside each change stands"
        " the change against the plan's base year, with all areas. If the coverage is below its"
        " floor, missing consumption may look like a decrease."
    )
    reasons = [f"- {one.name}: {one.reason}" for one in site.baselines]
    text = PanelText(
        tr("Like-for-like and further baselines"),
        "\n".join((note, "", *reasons)) if reasons else note,
        tr(
            "No area joined or left since the base year, and no further baseline of an earlier"
            " year is in plan.toml."
        ),
    )
    where = {**SCOPE, "period": "$period"}
    tags, fields = tuple(overrides)[:2], tuple(overrides)[2:]
    query = latest(schema.COMPARISON, fields, where, tags)
    panel = table_panel(text, "locale", [query], overrides, sort=("indicator", False))
    return {**panel, **_LONG}


def left_out_areas(site: BoardSite) -> Json:
    """Return a table of the areas that like-for-like comparisons of the chosen scope leave out."""
    tr = site.tr
    kinds = {"joined": (tr("Joined"), colours.TEXT), "left": (tr("Left"), colours.TEXT)}
    overrides = {
        "area": FieldOverride(tr("Building or area"), values=name_values(site.areas), width=150),
        "kind": FieldOverride(tr("Kind"), values=kinds, width=80),
        "day_ms": FieldOverride(tr("Since"), _DAY, width=110),
        "unmetered": FieldOverride(tr("Stays in, no meter"), values=_media_values(site)),
    }
    text = PanelText(
        tr("Areas that joined or left"),
        tr(
            "Areas that existed in a part of the compared time only, and the first day with or"
            " without them. If an area has no meter of its own for a medium, its consumption of it"
            " stays in the like-for-like comparison."
        ),
        tr("No area of this scope joined or left since the base year."),
    )
    where = {**SCOPE, "period": "$period"}
    query = latest(schema.LEFT_OUT_AREA, ("day_ms", "unmetered"), where, ("area", "kind"))
    return {**table_panel(text, "none", [query], overrides), **_LONG}


def _media_values(site: BoardSite) -> Mapping[str, tuple[str, str]]:
    """Return the names of the media for each possible value of the field `unmetered`."""
    names = medium_names(site.tr)
    return {
        " ".join(media): (site.tr(", ").join(names[one] for one in media), colours.TEXT)
        for count in range(1, len(MEDIA) + 1)
        for media in combinations(MEDIA, count)
    }
