"""Board 首页: links to all boards, and the verdicts of the site."""

from typing import Final

from grafana.board_frame import BoardText, Words, frame, text_panel, uid, words_text
from grafana.board_parts.alert_panels import total_firing
from grafana.board_parts.figure_panels import verdict
from grafana.board_parts.fleet_panels import agents_online
from grafana.board_site import BoardSite
from grafana.field_display import Json
from grafana.panel_layout import PanelRow
from grafana.variables import site_variable, year_variable
from jieneng.metering.indicators import BINDING_INDICATORS


def board(site: BoardSite) -> Json:
    """Return the JSON of the board."""
    tr = site.tr
    text = BoardText(tr("Start page"), tr("All boards, and the state of the site"))
    variables = [site_variable(site), year_variable(site)]
    return frame("start", text, site, variables, _rows(site), begin="now-24h", refresh="5m")


def _rows(site: BoardSite) -> list[PanelRow]:
    tr = site.tr
    return [
        PanelRow(7, tuple(_of_site(site, name) for name in BINDING_INDICATORS), site.name),
        PanelRow(
            9,
            tuple(text_panel(tr(words.title), _links(site, rows)) for words, rows in _READERS),
            tr("Boards"),
        ),
        PanelRow(
            4,
            (total_firing(site), *((agents_online(site),) if site.agents else ())),
            widths=(6, 18) if site.agents else (),
        ),
    ]


def _of_site(site: BoardSite, name: str) -> Json:
    panel = verdict(site, name)
    for target in panel["targets"]:
        target["query"] = target["query"].replace("'$scope'", f"'{site.id}'")
    return {**panel, "timeFrom": "10y", "hideTimeOverride": True}


def _links(site: BoardSite, rows: tuple[tuple[str, Words], ...]) -> str:
    is_there = {
        "gas-and-heat": bool({"gas", "heat"}.intersection(site.media)),
        "electricity": "electricity" in site.media,
        "water": "water" in site.media,
        "profiles": bool({"electricity", "water"}.intersection(site.media)),
        "sub-items": bool(site.parents),
    }
    return "\n\n".join(
        f"**[{text.title}](/d/{uid(key)})**  \n{text.description}"
        for key, text in ((key, words_text(site, words)) for key, words in rows)
        if is_there.get(key, True)
    )


_MANAGER: Final = (
    (
        "targets-overview",
        Words(
            "Targets at a glance", "Are the binding targets met? Which building needs attention?"
        ),
    ),
    (
        "buildings",
        Words(
            "Buildings and institutions",
            "One building or institution, and a comparison with the others.",
        ),
    ),
    (
        "quotas",
        Words(
            "Quotas and ranking",
            "Use of annual quotas and caps by month, and rankings of the buildings.",
        ),
    ),
    ("carbon", Words("Carbon", "Carbon for the target, and for the emission inventory.")),
    ("cost", Words("Costs", "Costs by month and price period, largest consumers, bills.")),
)
_ENGINEER: Final = (
    (
        "electricity",
        Words("Electricity use", "Current and earlier load, peak, base load at night, phases."),
    ),
    ("water", Words("Water use", "Flow at night, which reveals leaks.")),
    ("gas-and-heat", Words("Gas and heat", "Hours, days, months.")),
    ("profiles", Words("Load profiles", "Peaks, the usual week, nights and leaks.")),
    (
        "sub-items",
        Words(
            "Sub-items and balance",
            "Lighting, air conditioning and other sub-items; consumption that no"
            " sub-meter measures.",
        ),
    ),
    ("one-meter", Words("One meter", "Readings, consumption, quality and findings.")),
)
_OPERATOR: Final = (
    ("data-quality", Words("Data quality", "Missing readings, and findings about the data.")),
    ("alerts", Words("Alerts", "Current alerts, past alerts, and rules that fire often.")),
    (
        "edge-fleet",
        Words(
            "Edge fleet and account of readings",
            "Agents, buses, clocks, and a count of every reading.",
        ),
    ),
)
_READERS: Final = (
    (Words("For the energy manager"), _MANAGER),
    (Words("For the engineer"), _ENGINEER),
    (Words("For the operator"), _OPERATOR),
)
