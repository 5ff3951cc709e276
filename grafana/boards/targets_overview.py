"""节能目标总览: is a scope on the way to the plan's targets, and can its data say so?"""

from typing import Final

from grafana.panel_layout import Row, place
from grafana.panels import (
    BASELINE,
    CHANGE,
    COVERAGE,
    ESTIMATED,
    NEUTRAL,
    ONLINE,
    PATH,
    STATUS,
    TARGET,
    VALUE,
    Column,
    Json,
    bars,
    bars_over_time,
    lines,
    stat,
    table,
)
from grafana.queries import Query, course, newest
from grafana.variables import YEAR, choice
from jieneng.metering import quantities, schema
from jieneng.metering.quantities import Medium

UID: Final = "jieneng-targets-overview"

#: Indicator, its name for people, its unit as Grafana writes it after the number.
_BINDING: Final = (
    ("energy_per_floor_area", "单位建筑面积能耗", "suffix:kgce/m²"),
    ("energy_per_capita", "人均综合能耗", "suffix:kgce"),
    ("water_per_capita", "人均用水量", "suffix:m³"),
    ("carbon_per_floor_area", "单位建筑面积碳排放", "suffix:kgCO₂/m²"),
)
_CAPS: Final = (
    ("energy_total", "能源消费总量", "suffix:tce"),
    ("water_total", "用水总量", "suffix:m³"),
)
_MEDIA: Final[tuple[tuple[Medium, str, str], ...]] = (
    ("electricity", "用电量", "suffix:kWh"),
    ("water", "用水量", "suffix:m³"),
    ("gas", "用气量", "suffix:m³"),
)
_NAMES: Final = {
    name: (title, NEUTRAL)
    for name, title, _ in (*_BINDING, *_CAPS, *_MEDIA, ("carbon_total", "碳排放总量", ""))
}
_SERIES: Final = {
    "fixed": ("固定因子", NEUTRAL),
    "current": ("当年因子", NEUTRAL),
    schema.NO_SERIES: ("—", NEUTRAL),
}
_SCOPE: Final = {"site": "$site", "scope": "$scope"}
# The target is judged by the base year's carbon factor; indicators without one have no series.
_JUDGED: Final = f"/^(fixed|{schema.NO_SERIES})$/"


def board() -> Json:
    """The whole board."""
    return {
        "uid": UID,
        "title": "节能目标总览",
        "description": "约束性指标、总量控制、目标路径、月度消费、数据台账",
        "tags": ["jieneng"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6y", "to": "now"},
        "refresh": "1m",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables()},
        "panels": place(_rows()),
    }


def _variables() -> list[Json]:
    return [
        choice("site", "中心", "site", {}),
        choice("scope", "范围", "scope", {"site": "$site"}),
        choice("period", "年份", "period", _SCOPE, pattern=YEAR, newest_first=True),
    ]


def _rows() -> list[Row]:
    return [
        Row(6, tuple(_verdict(*row) for row in _BINDING), "约束性指标（$scope，$period 年）"),
        Row(9, (_all_indicators(),)),
        Row(6, tuple(_cap(*row) for row in _CAPS), "总量控制"),
        Row(8, tuple(_glide_path(*row) for row in _BINDING), "目标路径"),
        Row(8, tuple(_by_month(*row) for row in _MEDIA), "月度消费量（$period 年）"),
        Row(7, tuple(_by_day(*row) for row in _MEDIA), "逐日消费量"),
        Row(7, (_coverage(),), "数据质量"),
        Row(7, (_ledger(), _pending(), _agents()), "采集台账：已读 = 已存 + 待传 + 丢弃"),
    ]


def _indicator(name: str, period: str) -> dict[str, str]:
    return {**_SCOPE, "indicator": name, "period": period, "series": _JUDGED}


def _verdict(name: str, title: str, unit: str) -> Json:
    columns = {"value": VALUE, "change_pct": CHANGE, "status": STATUS, "coverage": COVERAGE}
    query = newest(schema.INDICATOR, tuple(columns), _indicator(name, "$period"))
    description = "本年累计值、较基期变化、状态与覆盖率。覆盖率低于下限时不作评价。"
    return stat(title, description, unit, query, columns)


def _all_indicators() -> Json:
    fields = {
        "value": VALUE,
        "baseline": BASELINE,
        "change_pct": CHANGE,
        "target": TARGET,
        "path": PATH,
        "status": STATUS,
        "coverage": COVERAGE,
        "estimated": ESTIMATED,
    }
    tags = {
        "indicator": Column("指标", words=_NAMES),
        "series": Column("因子口径", words=_SERIES),
    }
    query = newest(schema.INDICATOR, tuple(fields), {**_SCOPE, "period": "$period"}, tuple(tags))
    return table(
        "全部指标",
        "所选范围和年份的全部指标。固定因子用于目标评价，当年因子用于排放清单。单位见各指标。",
        "none",
        query,
        {**tags, **fields},
    )


def _cap(name: str, title: str, unit: str) -> Json:
    columns = {"value": VALUE, "target": TARGET, "change_pct": CHANGE, "status": STATUS}
    query = newest(schema.INDICATOR, tuple(columns), _indicator(name, "$period"))
    return stat(title, "本年累计值与规划上限。用水量不折算标准煤。", unit, query, columns)


def _glide_path(name: str, title: str, unit: str) -> Json:
    columns = {"value": VALUE, "path": PATH, "target": TARGET}
    query = course(schema.INDICATOR, tuple(columns), _indicator(name, YEAR))
    return lines(title, "每年累计值、当年目标路径和期末目标值。", unit, [query], columns)


def _by_month(name: Medium, title: str, unit: str) -> Json:
    columns = {"value": VALUE, "baseline": Column("基期同月")}
    query = newest(
        schema.INDICATOR,
        tuple(columns),
        {**_SCOPE, "indicator": name, "period": "/^$period-[0-9]{2}$/"},
        ("period",),
    )
    return bars(f"月度{title}", "所选年份各月消费量与基期同月。", unit, query, columns, "period")


def _by_day(medium: Medium, title: str, unit: str) -> Json:
    field = quantities.CONSUMPTION[medium]
    where = {
        **_SCOPE,
        "medium": medium,
        "interval": "day",
        "kind": "/^(site|area|institution)$/",
    }
    query = course(schema.CONSUMPTION, (field,), where)
    return bars_over_time(
        f"逐日{title}", "由表底数差计算；放大时间范围查看逐日值。", unit, [query], {field: VALUE}
    )


def _coverage() -> Json:
    query = course(
        schema.INDICATOR,
        (schema.COVERAGE,),
        {**_SCOPE, "indicator": "/^(energy_total|water_total)$/", "period": YEAR},
        ("indicator",),
        "$tag_indicator",
    )
    columns = {name: Column(title) for name, title, _ in _CAPS}
    return lines(
        "覆盖率", "有有效读数的计量时间占比；低于下限时不作评价。", "percentunit", [query], columns
    )


def _ledger() -> Json:
    fields = {
        "read": Column("已读"),
        "stored": Column("已存"),
        "pending": Column("待传"),
        "dropped": Column("丢弃"),
    }
    query = newest(schema.LEDGER, tuple(fields), {"site": "$site"}, ("agent",))
    columns = {"agent": Column("采集器"), **fields}
    return table("读数台账", "各采集器自安装以来的读数条数。", "locale", query, columns)


def _pending() -> Json:
    query = _of_agents(schema.LEDGER, "pending")
    return lines("待传读数", "已在采集器磁盘上、尚未确认入库的读数条数。", "locale", [query], {})


def _agents() -> Json:
    return stat(
        "采集器在线",
        "采集器与消息服务器的连接状态。",
        "none",
        _of_agents(schema.AGENT, "online"),
        {"/.*/": Column(words=ONLINE)},
    )


def _of_agents(measurement: str, field: str) -> Query:
    return course(measurement, (field,), {"site": "$site"}, ("agent",), "$tag_agent")
