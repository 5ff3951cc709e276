"""Define the signals that alert rules watch: one row each, with unit and texts in two languages.

A signal is a number for each of its subjects, such as the hours since the last reading of a meter.
A rule of `alerts.toml` names a signal and says beyond which limit, and for how long, it alerts.

Laws:

1. The names, causes and advice are only here. Notices, the terminal, the page, the Grafana boards
   and `make locale` take them from the row.
2. To add a signal: a row here, and a function of the same name in `analytics.alerts.signals`.
3. The name of a signal, once published, keeps its meaning: sites write it in `alerts.toml`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from jieneng.metering.errors import Msgid

#: Kind of the subjects of a signal. `indicator` is an indicator of a scope, with the id
#: `scope/indicator`; the others are ids of `site.toml`.
SubjectKind = Literal["meter", "area", "bus", "agent", "scope", "indicator", "site"]

#: Side of a limit: some signals are wrong on one side only, e.g. an age that is too great.
Side = Literal["above", "below", "either"]


class AlertSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `SIGNALS`.

    Attributes:
        name: name of the signal in `alerts.toml`.
        subject: kind of its subjects.
        side: side of the limit on which something is wrong.
        by_hours: True if rules may watch it in some hours only (`when`).
        unit: unit of its values; empty if a rule's quantity decides it.
        en: name of an alert of this signal in English, which is also the msgid.
        zh: the name in Chinese.
        cause_en: likely causes in English, which is also the msgid.
        cause_zh: likely causes in Chinese.
        advice_en: advice on what to do first in English, which is also the msgid.
        advice_zh: advice in Chinese.
        of_data: True if the signal is about missing data or a service, and not about consumption.
        caused_by: signals that explain an alert of this one. While one of them alerts for the bus
            or the agent of a subject, the subject gets no notice of its own, and the notice about
            the bus or the agent counts it.
    """

    name: str
    subject: SubjectKind
    side: Side = "above"
    by_hours: bool = False
    unit: str
    en: Msgid
    zh: str
    cause_en: Msgid
    cause_zh: str
    advice_en: Msgid
    advice_zh: str
    of_data: bool = False
    caused_by: tuple[str, ...] = ()

    @property
    def has_quantity(self) -> bool:
        """True if a rule says which quantity it watches, which also decides the unit."""
        return not self.unit


_ROWS: Final = (
    AlertSignal(
        name="quantity",
        subject="meter",
        side="either",
        by_hours=True,
        unit="",
        en="Measured value beyond its limit",
        zh="测量值越限",
        cause_en="A load was switched on or off, or a device is faulty.",
        cause_zh="负荷投切，或设备故障。",
        advice_en="Compare the value with the meter's display, and look at what was switched.",
        advice_zh="与表计显示核对，并检查投切的设备。",
    ),
    AlertSignal(
        name="rate",
        subject="meter",
        side="either",
        by_hours=True,
        unit="",
        en="Measured value changes too fast",
        zh="测量值变化过快",
        cause_en="A large load was switched, or a sensor is faulty.",
        cause_zh="大负荷投切，或传感器故障。",
        advice_en="Look at what was switched at that time.",
        advice_zh="检查当时投切的设备。",
    ),
    AlertSignal(
        name="deviation",
        subject="meter",
        side="either",
        by_hours=True,
        unit="times",
        en="Consumption is unusual for this hour of the week",
        zh="用量与同一时段惯常水平不符",
        cause_en="Equipment runs outside its schedule, use has changed, or there is a leak.",
        cause_zh="设备未按时间表运行、使用情况改变或存在泄漏。",
        advice_en="Compare with the meter's profile of the past weeks, and check the schedules.",
        advice_zh="与近几周同时段曲线比较，检查运行时间表。",
    ),
    AlertSignal(
        name="path_excess",
        subject="indicator",
        unit="%",
        en="Indicator above its path to the target",
        zh="指标高于达标路径",
        cause_en="More was consumed than the plan allows for this part of the year.",
        cause_zh="本年度至今用量超过规划允许值。",
        advice_en="Look at which buildings rose most, on the board of buildings.",
        advice_zh="在楼宇看板查看增幅最大的楼宇。",
    ),
    AlertSignal(
        name="night_flow",
        subject="meter",
        unit="m3/h",
        en="Water flows all night",
        zh="夜间持续用水",
        cause_en="A pipe, a tap or a cistern leaks.",
        cause_zh="管道、龙头或水箱漏水。",
        advice_en="Read the meter at night with all taps closed, then close the valves of the"
        " branches one by one.",
        advice_zh="夜间关闭用水点后读表，再逐段关闭支管阀门查找漏点。",
    ),
    AlertSignal(
        name="imbalance",
        subject="meter",
        side="either",
        unit="%",
        en="Meters below do not add up to the meter above",
        zh="上下级表计不平衡",
        cause_en="A branch without a meter, a wrong transformer ratio, or a faulty meter.",
        cause_zh="存在未计量支路、互感器变比有误或表计故障。",
        advice_en="Check ct and pt of the meters below in site.toml, then look for branches"
        " without a meter.",
        advice_zh="先核对 site.toml 中下级表计的 ct、pt，再查找未计量支路。",
    ),
    AlertSignal(
        name="idle_load",
        subject="area",
        unit="%",
        en="High load in an empty building",
        zh="无人时段负荷过高",
        cause_en="Air conditioning, lighting or office equipment was left on.",
        cause_zh="空调、照明或办公设备未关闭。",
        advice_en="Walk through the building after work, and check the time switches.",
        advice_zh="下班后巡查楼宇，检查定时开关。",
    ),
    AlertSignal(
        name="reading_age",
        subject="meter",
        unit="s",
        en="Meter silent",
        zh="表计无读数",
        cause_en="The meter has no power, its cable is broken, or its address was changed.",
        cause_zh="表计失电、通信线断开或地址被更改。",
        advice_en="Look whether the display is on, then check the cable and the address.",
        advice_zh="查看表计是否有显示，再检查通信线和地址。",
        of_data=True,
        caused_by=("failed_polls", "agent_age"),
    ),
    AlertSignal(
        name="failed_polls",
        subject="bus",
        unit="%",
        en="Bus failing",
        zh="总线故障",
        cause_en="The gateway has no power or no network, or the bus is interrupted.",
        cause_zh="网关失电、断网，或总线中断。",
        advice_en="Restart the gateway, then check its network and the bus.",
        advice_zh="重启网关，再检查其网络和总线。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="agent_age",
        subject="agent",
        unit="s",
        en="Agent silent",
        zh="采集代理无消息",
        cause_en="The agent's machine has no power, or its network to the broker is down.",
        cause_zh="采集主机失电，或与消息服务器之间断网。",
        advice_en="Check power and network of the machine. The agent keeps its readings on disk.",
        advice_zh="检查主机电源和网络。读数保存在代理磁盘上，恢复后自动补传。",
        of_data=True,
    ),
    AlertSignal(
        name="ledger_gap",
        subject="agent",
        unit="samples",
        en="Ledger does not balance",
        zh="读数账目不平",
        cause_en="Readings were dropped, or a spool or quarantine file was removed.",
        cause_zh="读数被丢弃，或缓存、隔离文件被删除。",
        advice_en="Run `jieneng ingest ledger` to see which counts differ.",
        advice_zh="运行 `jieneng ingest ledger` 查看哪项不符。",
        of_data=True,
    ),
    AlertSignal(
        name="coverage",
        subject="scope",
        side="below",
        unit="%",
        en="Coverage low",
        zh="覆盖率低",
        cause_en="Meters were silent for long, or readings were not imported.",
        cause_zh="表计长时间无读数，或读数未导入。",
        advice_en="Find the meters on the board of data quality, and import their readings.",
        advice_zh="在数据质量看板找出相关表计，补导读数。",
        of_data=True,
    ),
    AlertSignal(
        name="spool_age",
        subject="agent",
        unit="s",
        en="Readings wait on the agent's disk",
        zh="读数滞留在代理磁盘",
        cause_en="The broker, the ingest or the database does not take readings.",
        cause_zh="消息服务器、入库服务或数据库不可用。",
        advice_en="Check the broker, the ingest and the database. Nothing is lost yet.",
        advice_zh="检查消息服务器、入库服务和数据库；目前没有读数丢失。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="spool_share",
        subject="agent",
        unit="%",
        en="Spool filling",
        zh="代理缓存将满",
        cause_en="Readings have been waiting for long, or the disk is small.",
        cause_zh="读数长时间未入库，或磁盘过小。",
        advice_en="Mend what keeps the readings from being stored, before the spool is full.",
        advice_zh="请在缓存写满前排除入库故障。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="disk_used",
        subject="agent",
        unit="%",
        en="Disk filling",
        zh="磁盘将满",
        cause_en="Logs or other programs fill the disk of the agent's machine.",
        cause_zh="日志或其他程序占满采集主机磁盘。",
        advice_en="Delete what is not needed on the machine.",
        advice_zh="清理主机上不需要的文件。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="certificate_days",
        subject="agent",
        side="below",
        unit="d",
        en="Certificate expires",
        zh="证书即将到期",
        cause_en="The certificate of the broker or of the agent was not renewed.",
        cause_zh="消息服务器或代理的证书未更新。",
        advice_en="Renew the certificate. After it expires, readings wait on the agent's disk.",
        advice_zh="更新证书。到期后读数只能滞留在代理磁盘。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="clock_untrusted",
        subject="agent",
        unit="1",
        en="Clock not trusted",
        zh="时钟不可信",
        cause_en="The machine's time service reaches no server.",
        cause_zh="主机对时服务无法连接时间服务器。",
        advice_en="Check the time service (chrony, systemd-timesyncd) and the network.",
        advice_zh="检查对时服务（chrony、systemd-timesyncd）和网络。",
        of_data=True,
        caused_by=("agent_age",),
    ),
)

#: The signals by name.
SIGNALS: Final[Mapping[str, AlertSignal]] = MappingProxyType({row.name: row for row in _ROWS})
