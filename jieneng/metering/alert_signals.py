"""Define the signals that alert rules watch: one row for each signal, with unit and texts.

A signal is a number for each of its subjects, such as the hours since the last reading of a meter.
A rule of `alerts.toml` names a signal, a limit, and the time beyond the limit until it alerts.

Laws:

1. The names, causes and advice are written only here. Notices, the terminal, the page, the Grafana
   boards and `make locale` take them from the row.
2. To add a signal, write a row here, and add its function to `analytics.alerts.signals`.
3. The meaning of a signal's name never changes, because sites write the name in `alerts.toml`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from jieneng.metering.errors import Msgid

#: Kind of the subjects of a signal. The id of an `indicator` is `scope/indicator`; other kinds have
#: ids of `site.toml`.
SubjectKind = Literal["meter", "area", "bus", "agent", "scope", "indicator", "site"]

#: Side of a limit on which a value is bad. An age, for example, is bad only above its limit.
Side = Literal["above", "below", "either"]


class AlertSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `SIGNALS`.

    Attributes:
        name: name of the signal in `alerts.toml`.
        subject: kind of its subjects.
        side: side of the limit on which a value is bad.
        by_hours: True if rules may restrict the signal to some hours (`when`).
        unit: unit of its values; empty if the unit follows from the quantity of a rule.
        en: name of an alert of this signal in English, which is also the msgid.
        zh: the name in Chinese.
        value_en: name of the signal's values in English, which is also the msgid; None if the
            value adds nothing to the name of the alert.
        value_zh: the name in Chinese.
        cause_en: likely causes in English, which is also the msgid.
        cause_zh: likely causes in Chinese.
        advice_en: advice on what to do first in English, which is also the msgid.
        advice_zh: advice in Chinese.
        day_en: name in English, which is also the msgid, of the day that follows from a value that
            counts days back from the end of the year; None for other values.
        day_zh: the name in Chinese.
        of_data: True if the signal is about missing data or a service, and not about consumption.
        caused_by: signals whose alerts explain an alert of this signal. While such a signal alerts
            for the bus or the agent of a subject, no notice is sent about the subject; the notice
            about the bus or the agent contains the number of its subjects that alert.
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
    value_en: Msgid | None = None
    value_zh: str = ""
    day_en: Msgid | None = None
    day_zh: str = ""
    of_data: bool = False
    caused_by: tuple[str, ...] = ()

    @property
    def has_quantity(self) -> bool:
        """True if a rule names the quantity that it watches, which has its own unit."""
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
        value_en="Measured value",
        value_zh="测量值",
        cause_en="Equipment was switched on or off, a pipe burst, or a device is faulty.",
        cause_zh="设备启停、管道爆裂，或设备故障。",
        advice_en="Compare the value with the meter's display. If they agree, look for"
        " equipment that was switched on or off, or for a leak.",
        advice_zh="与表计显示值核对；相符时，查找当时启停的设备或漏点。",
    ),
    AlertSignal(
        name="rate",
        subject="meter",
        side="either",
        by_hours=True,
        unit="",
        en="Measured value changes too fast",
        zh="测量值突变",
        value_en="Rate of change",
        value_zh="变化速率",
        cause_en="A large load was switched on or off, a pipe burst, or a sensor is faulty.",
        cause_zh="大负荷启停、管道爆裂，或传感器故障。",
        advice_en="Look for equipment that was switched on or off at that time.",
        advice_zh="查明当时启停的设备。",
    ),
    AlertSignal(
        name="deviation",
        subject="meter",
        side="either",
        by_hours=True,
        unit="times",
        en="Consumption is unusual for this hour of the week",
        zh="用量偏离同时段惯常水平",
        value_en="Ratio to the usual consumption",
        value_zh="与惯常水平之比",
        cause_en="Equipment runs outside its schedule, the building is used differently, or"
        " something leaks.",
        cause_zh="设备未按时间表运行、使用情况改变，或存在泄漏。",
        advice_en="Compare with the same hours of the past weeks, and check the schedules of the"
        " equipment.",
        advice_zh="与近几周同时段的用量对比，检查设备时间表。",
    ),
    AlertSignal(
        name="path_excess",
        subject="indicator",
        unit="%",
        en="Indicator above its path to the target",
        zh="指标超出达标路径",
        value_en="Above the path",
        value_zh="超出路径",
        cause_en="More was consumed so far this year than the plan allows.",
        cause_zh="本年度迄今的用量超过规划允许值。",
        advice_en="On the board of buildings, look for the buildings with the greatest increase.",
        advice_zh="在楼宇看板查看增幅最大的楼宇。",
    ),
    AlertSignal(
        name="quota_used",
        subject="indicator",
        unit="%",
        en="Annual quota used",
        zh="年度限额用量",
        value_en="Used at least",
        value_zh="至少已用",
        cause_en="The year goes on, or more was consumed than the quota allows for the months so"
        " far.",
        cause_zh="年度推进，或迄今用量超过分月限额。",
        advice_en="Run `jieneng quotas --annual` to see what remains, for each month and a day, and"
        " when the quota is expected to be used up.",
        advice_zh="运行 `jieneng quotas --annual`，查看剩余量（分月、日均）和预计用完日期。",
    ),
    AlertSignal(
        name="quota_short_days",
        subject="indicator",
        unit="d",
        en="Annual quota will not last for the year",
        zh="年度限额预计提前用完",
        value_en="Days of the year without quota",
        value_zh="年内缺口天数",
        day_en="Used up on",
        day_zh="用完日期",
        cause_en="More was consumed than the quota allows for the months so far, or the months that"
        " are still to come were high last year.",
        cause_zh="迄今用量超过分月限额，或上年余下各月用量较高。",
        advice_en="On the board of quotas, look for the months above their part of the quota, then"
        " for the buildings with the greatest increase.",
        advice_zh="在限额看板查看超过分月限额的月份，再查增幅最大的楼宇。",
    ),
    AlertSignal(
        name="night_flow",
        subject="meter",
        unit="m3/h",
        en="Water flows all night",
        zh="夜间持续用水",
        value_en="Lowest flow of the night",
        value_zh="夜间最小流量",
        cause_en="A pipe, a valve, a cistern or a tap leaks.",
        cause_zh="管道、阀门、便器水箱或龙头漏水。",
        advice_en="Close all taps at night and look at the meter. If the meter still runs,"
        " close the valves of the branches one by one.",
        advice_zh="夜间关闭全部用水点后看表；仍在走字时，逐段关闭支管阀门查找漏点。",
    ),
    AlertSignal(
        name="imbalance",
        subject="meter",
        side="either",
        unit="%",
        en="Meters below do not add up to the meter above",
        zh="上下级表计用量不平衡",
        value_en="Difference",
        value_zh="不平衡率",
        cause_en="A branch has no meter, a transformer ratio is wrong, or a meter is faulty.",
        cause_zh="支路未装表、互感器变比有误，或表计故障。",
        advice_en="Check ct and pt of the meters below in site.toml, then look for branches"
        " without a meter.",
        advice_zh="先核对 site.toml 中下级表计的 ct、pt，再查找未装表的支路。",
    ),
    AlertSignal(
        name="idle_load",
        subject="area",
        unit="%",
        en="High load in an empty building",
        zh="无人时段负荷过高",
        value_en="Share of the load in working hours",
        value_zh="占工作时段负荷",
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
        value_en="Time since the last reading",
        value_zh="距上次读数",
        cause_en="The meter has no power, its cable is broken, or its address was changed.",
        cause_zh="表计断电、通信线断开，或通信地址被改动。",
        advice_en="Check that the display is on, then check the cable and the address.",
        advice_zh="先看表计有无显示，再检查通信线和通信地址。",
        of_data=True,
        caused_by=("failed_polls", "agent_age"),
    ),
    AlertSignal(
        name="failed_polls",
        subject="bus",
        unit="%",
        en="Bus failing",
        zh="总线通信故障",
        value_en="Failed polls",
        value_zh="采集失败率",
        cause_en="The gateway has no power or no network, or the bus is interrupted.",
        cause_zh="网关断电、断网，或总线断线。",
        advice_en="Restart the gateway. If the bus still fails, check the gateway's network"
        " and the wiring of the bus.",
        advice_zh="重启网关；仍未恢复时，检查网关的网络和总线接线。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="agent_age",
        subject="agent",
        unit="s",
        en="Agent silent",
        zh="采集代理失联",
        value_en="Time since the last message",
        value_zh="距上次上报",
        cause_en="The agent's machine has no power, or its network to the broker is down.",
        cause_zh="采集主机断电，或与消息服务器之间断网。",
        advice_en="Check the power and the network of the machine. While only the network is"
        " down, the agent keeps its readings on disk and sends them later.",
        advice_zh="检查主机电源和网络。若仅断网，读数保存在主机磁盘上，恢复后自动补传。",
        of_data=True,
    ),
    AlertSignal(
        name="ingest_age",
        subject="site",
        unit="s",
        en="Nothing is stored",
        zh="入库中断",
        value_en="Time since the last report of the ingest",
        value_zh="距入库服务上次上报",
        cause_en="The broker, the ingest or the database is down, or its disk is full.",
        cause_zh="消息服务器、入库服务或数据库停止运行，或其磁盘已满。",
        advice_en="Look into the log of the ingest, then check the broker and the database."
        " Agents keep their readings on disk. Until readings are stored again, no other alert"
        " can fire.",
        advice_zh="先看入库服务日志，再查消息服务器和数据库。读数保存在采集主机磁盘上；恢复之前，其他告警均不会触发。",
        of_data=True,
    ),
    AlertSignal(
        name="ledger_gap",
        subject="agent",
        unit="samples",
        en="Ledger does not balance",
        zh="读数台账不平",
        value_en="Samples not accounted for",
        value_zh="去向不明的读数",
        cause_en="Readings were dropped, or a spool or quarantine file was removed.",
        cause_zh="读数被丢弃，或缓存文件、隔离区文件被删除。",
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
        zh="数据覆盖率低",
        value_en="Coverage",
        value_zh="覆盖率",
        cause_en="Meters were silent for long, or readings were not imported.",
        cause_zh="表计长时间无读数，或读数未导入。",
        advice_en="Find the meters on the board of data quality, and import their readings.",
        advice_zh="在数据质量看板找出相关表计，并补导读数。",
        of_data=True,
    ),
    AlertSignal(
        name="spool_age",
        subject="agent",
        unit="s",
        en="Readings wait on the agent's disk",
        zh="读数积压在采集代理",
        value_en="Age of the oldest waiting reading",
        value_zh="最早的读数已等待",
        cause_en="The broker, the ingest or the database does not take readings.",
        cause_zh="消息服务器、入库服务或数据库未接收读数。",
        advice_en="Check the broker, the ingest and the database. Nothing is lost yet.",
        advice_zh="检查消息服务器、入库服务和数据库。目前读数没有丢失。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="spool_share",
        subject="agent",
        unit="%",
        en="Spool filling",
        zh="采集代理缓存将满",
        value_en="Used share of the spool",
        value_zh="缓存已用",
        cause_en="Readings have been waiting for long, or the disk is small.",
        cause_zh="读数长时间未能入库，或磁盘过小。",
        advice_en="Find out why readings are not stored, before the spool is full.",
        advice_zh="请在缓存写满之前，查明读数未能入库的原因。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="disk_used",
        subject="agent",
        unit="%",
        en="Disk filling",
        zh="采集主机磁盘将满",
        value_en="Used share of the disk",
        value_zh="磁盘已用",
        cause_en="Logs or other programs fill the disk of the agent's machine.",
        cause_zh="日志或其他程序占满采集主机的磁盘。",
        advice_en="Delete old logs and files that are not needed from the machine.",
        advice_zh="清理主机上的旧日志和不需要的文件。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="certificate_days",
        subject="agent",
        side="below",
        unit="d",
        en="Certificate expires soon",
        zh="证书即将到期",
        value_en="Time left",
        value_zh="剩余时间",
        cause_en="The certificate of the broker or of the agent was not renewed.",
        cause_zh="消息服务器或采集代理的证书未更新。",
        advice_en="Renew the certificate. After it expires, readings wait on the agent's disk.",
        advice_zh="更新证书。证书到期后，读数只能积压在采集代理的磁盘上。",
        of_data=True,
        caused_by=("agent_age",),
    ),
    AlertSignal(
        name="clock_untrusted",
        subject="agent",
        unit="1",
        en="Clock not trusted",
        zh="采集主机时钟不可信",
        cause_en="The machine's time service reaches no server.",
        cause_zh="主机的对时服务连不上时间服务器。",
        advice_en="Check the time service (chrony, systemd-timesyncd) and the network.",
        advice_zh="检查对时服务（chrony、systemd-timesyncd）和网络。",
        of_data=True,
        caused_by=("agent_age",),
    ),
)

#: The signals by name.
SIGNALS: Final[Mapping[str, AlertSignal]] = MappingProxyType({row.name: row for row in _ROWS})
