"""Findings: doubts and remarks about a figure, as values with parameters.

Laws:

1. A finding contains values, not a sentence. The sentence belongs to the kind of the finding.
   `jieneng.locale.finding_text` renders it in the reader's language, with the names of meters and
   areas.
2. Each kind is one row of `KINDS`, with its sentence in English and in Chinese. `make locale` takes
   both from the row. To add a finding, add a row here, and the code that finds it.
3. The meaning of a published code never changes, because other programs read it in the JSON form.
4. A finding about the base period has the same kind, and the prefix `baseline_` in its code.
5. The values of a finding about a register are numbers. `first_ms`, `until_ms`, `count`, `doubt`,
   and `unit` (of the meter's consumption) are added to them. Several findings with the same code
   and meter in a period are merged into one, with the sentence `many_en` if its kind has one.
6. A person may confirm a finding. It is still listed, with the severity `info`, and its doubt ends.

A placeholder in a sentence contains the name of a value (`subject` for the subject of the finding)
and, after a colon, the way in which the value is shown:

| spec | value | shown as |
|---|---|---|
| name | id of a meter, area, institution | its name |
| time | UTC milliseconds | local date and time |
| date | `datetime.date` | 2024-03-02 |
| share | 0 to 1 | percent, cut and not rounded |
| number | a number | about four digits |
| register | a counter's value | two decimals |
| exact | a number | all its digits |
| unit | `kgCO2/m2` | kgCO₂/m² |
| word | a medium, or a kind of factor | its word in the reader's language |
| words | several of these, with spaces between them | their words, with commas |
| indicator | id of an indicator | its name in the reader's language |
"""

from collections.abc import Mapping
from datetime import date
from string import Formatter
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec

from jieneng.metering.errors import Msgid

Severity = Literal["info", "warning", "error"]
Value: TypeAlias = float | int | str | date

#: Prefix of the code of a finding about the base period.
BASELINE: Final = "baseline_"


class FindingKind(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `KINDS`.

    Attributes:
        code: short name, for counting and for other programs.
        severity: `info`: a remark; `warning`: the figure may be wrong; `error`: the figure can't be
            right.
        en: the sentence in English, which is also the msgid.
        zh: the sentence in Chinese.
        many_en: the sentence for several merged findings; None if it is the same.
        many_zh: the sentence for several merged findings in Chinese.
        of_past: True if the finding results from a comparison with the meter's whole past.
        recurring_from: if there are at least this many in a period, `site.toml` must be wrong about
            the meter; None if there is no such number.
    """

    code: str
    severity: Severity
    en: Msgid
    zh: str
    many_en: Msgid | None = None
    many_zh: str | None = None
    of_past: bool = False
    recurring_from: int | None = None

    def sentence(self, count: Value) -> Msgid:
        """Return the sentence for a number of findings."""
        return self.many_en if self.many_en and count != 1 else self.en

    @property
    def value_names(self) -> frozenset[str]:
        """Names of the values in the sentences."""
        fields = [*Formatter().parse(self.en), *Formatter().parse(self.many_en or "")]
        return frozenset(name for _, name, _, _ in fields if name and name != "subject")


class Confirmation(msgspec.Struct, frozen=True):
    """The statement of a person that the values of a finding are right.

    Attributes:
        by: name of the person.
        reason: reason why the values are right.
    """

    by: str
    reason: str


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A doubt or remark that a reader of a figure should know.

    Attributes:
        code: code of a row of `KINDS`, with the prefix `baseline_` if it is about the base period.
        subject: id of the meter, area, scope, factor or period that the finding is about.
        values: values of the placeholders in the kind's sentence.
        weight: affected share of the figure, 0 to 1; None if it is not known.
        confirmed: confirmation by a person; None if there is none.
    """

    code: str
    subject: str
    values: tuple[tuple[str, Value], ...] = ()
    weight: float | None = None
    confirmed: Confirmation | None = None

    @classmethod
    def of(
        cls, code: str, subject: str, /, *, weight: float | None = None, **values: Value
    ) -> "Finding":
        """Create a finding from named values."""
        return cls(code, subject, tuple(values.items()), weight)

    @property
    def is_of_baseline(self) -> bool:
        """True if the finding is about the base period."""
        return self.code.startswith(BASELINE)

    @property
    def contradicts_past(self) -> bool:
        """True if it results from a comparison with the meter's past and is not confirmed."""
        return self.kind is not None and self.kind.of_past and self.confirmed is None

    @property
    def recurs(self) -> bool:
        """True if it occurred at least `recurring_from` times and is not confirmed."""
        least = None if self.kind is None else self.kind.recurring_from
        count = dict(self.values).get("count", 1)
        return (
            least is not None
            and self.confirmed is None
            and isinstance(count, int | float)
            and count >= least
        )

    @property
    def kind(self) -> FindingKind | None:
        """The row of the code; None if there is none."""
        return KINDS.get(self.code.removeprefix(BASELINE))

    @property
    def severity(self) -> Severity:
        """The severity of the kind; `warning` without a row; `info` if it is confirmed."""
        if self.confirmed is not None:
            return "info"
        return "warning" if self.kind is None else self.kind.severity

    @property
    def doubt(self) -> float | None:
        """Largest possible error of the amount; infinity without limit; None if not applicable."""
        if self.confirmed is not None:
            return 0.0
        return next(
            (float(v) for n, v in self.values if n == "doubt" and isinstance(v, float)), None
        )

    def as_baseline(self) -> "Finding":
        """Return the same finding about the base period."""
        return msgspec.structs.replace(self, code=f"{BASELINE}{self.code}")


_ROWS: Final = (
    FindingKind(
        code="gap",
        severity="warning",
        en="{subject:name}: the consumption is known for only {coverage:share} of the period,"
        " from readings before and after it or from imports.",
        zh="{subject:name}：部分时段用量不明，统计期内前后均有读数或导入数据的时间占"
        " {coverage:share}",
    ),
    FindingKind(
        code="spread_gap",
        severity="info",
        en="{subject:name}: the consumption of the period is known, but only {coverage:share}"
        " of the period has readings at usual intervals; in the rest, its distribution over"
        " time is estimated.",
        zh="{subject:name}：统计期用量已知，但仅 {coverage:share} 的时间按常规间隔抄读，其余时段的"
        "用量的时间分布为估算",
    ),
    FindingKind(
        code="spread_edge",
        severity="info",
        en="{subject:name}: the period begins or ends between two readings, so {estimated:share} of"
        " the consumption is estimated.",
        zh="{subject:name}：统计期起止时刻不在抄表时刻，其用量的 {estimated:share} 为估算",
    ),
    FindingKind(
        code="not_read",
        severity="info",
        en="{subject:name}: {estimated:share} of the consumption is estimated, not read:"
        " between the last reading and a reset of the register to 0, or by the imported"
        " file.",
        zh="{subject:name}：其用量的 {estimated:share} 并非抄表所得，而是估算：计度器清零前最后一次"
        "读数之后的用量，或导入文件中的估计值",
    ),
    FindingKind(
        code="no_readings",
        severity="warning",
        en="{subject:name}: no accepted readings in the period.",
        zh="{subject:name}：统计期内无有效读数",
    ),
    FindingKind(
        code="supply_class",
        severity="info",
        en="{amount:number} {unit:unit} of the purchased electricity are {subject:word}, counted at"
        " {value:exact} {factor_unit:unit}.",
        zh="外购电力中{subject:word}为 {amount:number} {unit:unit}，按 {value:exact}"
        " {factor_unit:unit} 计算排放",
    ),
    FindingKind(
        code="after_removal",
        severity="warning",
        en="{subject:name}: {amount:number} {unit:unit} were read after the meter was removed and"
        " are not counted.",
        zh="{subject:name}：拆除之后仍有 {amount:number} {unit:unit} 的读数，未计入",
    ),
    FindingKind(
        code="counted_before",
        severity="warning",
        en="{subject:name}: its generated or exported energy was first read on {until_ms:time},"
        " when the register was already at {before:register}; energy before this reading is"
        " taken as 0.",
        zh="{subject:name}：自产或外送电量首次抄表为 {until_ms:time}，表底数已为"
        " {before:register}，此前的电量按 0 计",
    ),
    FindingKind(
        code="sub_item_not_added",
        severity="warning",
        en="{subject:name} measures a sub-item and has no parent: it is regarded as a part of"
        " {main:name} and is not added.",
        zh="{subject:name}为未注明上级表的分项表，视为 {main:name} 的一部分，不重复相加",
    ),
    FindingKind(
        code="set_aside",
        severity="warning",
        en="{subject:name}: some readings do not fit the others or the nameplate and are not"
        " counted, the first at {first_ms:time}.",
        zh="{subject:name}：部分读数与前后读数或铭牌量程不符，未计入，最早一条为 {first_ms:time}",
        many_en="{subject:name}: readings do not fit the others or the nameplate and are not"
        " counted, in {count} places from {first_ms:time} to {until_ms:time}.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 共 {count} 处读数与前后读数或"
        "铭牌量程不符，未计入",
    ),
    FindingKind(
        code="late_ratio",
        severity="info",
        en="{subject:name}: readings from {first_ms:time} to {until_ms:time} were stored with the"
        " transformer ratio {applied:exact}, before its change was entered; they are counted with"
        " {right:exact}.",
        zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 的读数在变比登记之前按互感器倍率"
        " {applied:exact} 入库，现按 {right:exact} 计量",
    ),
    FindingKind(
        code="no_value",
        severity="warning",
        en='{subject:name}: imported values that mean "no value" are not counted, the first at'
        " {first_ms:time}: {value:exact}.",
        zh="{subject:name}：导入数据中有表示“无数据”的数值，未计入，最早一条为 {first_ms:time} 的"
        " {value:exact}",
        many_en='{subject:name}: {count} imported values that mean "no value", such as'
        " {value:exact}, are not counted, from {first_ms:time} to {until_ms:time}.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 的导入数据中有 {count} 个表示"
        "“无数据”的数值（如 {value:exact}），未计入",
    ),
    FindingKind(
        code="negative_interval",
        severity="warning",
        en="{subject:name}: negative consumption that corrects no other value is not counted, the"
        " first at {first_ms:time}: {value:exact}.",
        zh="{subject:name}：导入数据中有负用量，且不是对其他数值的冲正，未计入，最早一条为"
        " {first_ms:time} 的 {value:exact}",
        many_en="{subject:name}: {count} negative values, such as {value:exact}, that correct no"
        " other value are not counted, from {first_ms:time} to {until_ms:time}.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 的导入数据中有 {count} 个负用量"
        "（如 {value:exact}），且不是对其他数值的冲正，未计入",
    ),
    FindingKind(
        code="above_nameplate",
        severity="warning",
        en="{subject:name}: consumption above what the nameplate allows is not counted, the first"
        " at {first_ms:time}: {value:exact}.",
        zh="{subject:name}：导入的用量超过铭牌量程所允许的最大值，未计入，最早一条为"
        " {first_ms:time} 的 {value:exact}",
        many_en="{subject:name}: {count} values, such as {value:exact}, above what the nameplate"
        " allows are not counted, from {first_ms:time} to {until_ms:time}.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 导入的用量中有 {count} 个"
        "（如 {value:exact}）超过铭牌量程所允许的最大值，未计入",
    ),
    FindingKind(
        code="counter_reset",
        severity="warning",
        recurring_from=3,
        en="{subject:name}: the register was reset, from {before:register} at {before_ms:time} to"
        " {after:register} at {after_ms:time}; consumption between them is unknown and not"
        " counted.",
        zh="{subject:name}：{after_ms:time} 读数不连续（清零、换表等），由 {before:register}"
        "（{before_ms:time}）变为 {after:register}，其间用量不明，未计入",
        many_en="{subject:name}: the register was reset {count} times from {first_ms:time} to"
        " {until_ms:time}; consumption around each reset is unknown and not counted. If"
        " it is reset to 0 each day, month or year, state resets in site.toml.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 读数回退 {count} 次，"
        "每次回退前后的用量不明，未计入；如为每日、每月或每年清零，请在 site.toml 中填写 resets",
    ),
    FindingKind(
        code="counter_rollover",
        severity="info",
        en="{subject:name}: the register rolled over, from {before:register} at"
        " {before_ms:time} to {after:register} at {after_ms:time}; the consumption across"
        " the rollover is counted.",
        zh="{subject:name}：{after_ms:time} 计度器满量程翻转，由 {before:register}"
        "（{before_ms:time}）变为 {after:register}，用量已连续计入",
        many_en="{subject:name}: the register rolled over {count} times from {first_ms:time} to"
        " {until_ms:time}; the consumption across each rollover is counted.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 计度器满量程翻转 {count} 次，"
        "用量已连续计入",
    ),
    FindingKind(
        code="rollover_guess",
        severity="warning",
        en="{subject:name}: the register fell from {before:register} at {before_ms:time} to"
        " {after:register} at {after_ms:time}; this is counted as a rollover, which is a"
        " guess: state its digits or modulus in site.toml.",
        zh="{subject:name}：读数由 {before:register}（{before_ms:time}）变为 {after:register}"
        "（{after_ms:time}），推测为计度器满量程翻转并按此计量；请在 site.toml 中填写"
        " digits（位数）或 modulus（满量程值）",
        many_en="{subject:name}: the register fell {count} times from {first_ms:time} to"
        " {until_ms:time}; these falls are counted as rollovers, which is a guess: state"
        " its digits or modulus in site.toml.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 读数回落 {count} 次，推测为"
        "计度器满量程翻转并按此计量；请在 site.toml 中填写 digits（位数）或 modulus（满量程值）",
    ),
    FindingKind(
        code="unclear_fall",
        severity="warning",
        en="{subject:name}: the register fell from {before:register} at {before_ms:time} to"
        " {after:register} at {after_ms:time}. It is not clear which of them is wrong: correct"
        " it, and import it again.",
        zh="{subject:name}：读数由 {before:register}（{before_ms:time}）回落至 {after:register}"
        "（{after_ms:time}），无法判断哪一个有误；请更正后重新导入",
        many_en="{subject:name}: the register fell {count} times from {first_ms:time} to"
        " {until_ms:time}, and it is not clear which readings are wrong: correct them, and"
        " import them again.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 读数回落 {count} 次，无法判断"
        "哪些读数有误；请更正后重新导入",
    ),
    FindingKind(
        code="ran_backwards",
        severity="warning",
        en="{subject:name}: the register ran backwards, from {before:register} at"
        " {before_ms:time} to {after:register} at {after_ms:time}: check the connection of the"
        " transformers, and whether energy is fed back.",
        zh="{subject:name}：计度器倒走，由 {before:register}（{before_ms:time}）降至"
        " {after:register}（{after_ms:time}）；请检查互感器极性、接线及是否有反送电",
        many_en="{subject:name}: the register ran backwards {count} times from {first_ms:time} to"
        " {until_ms:time}: check the connection of the transformers, and whether energy is fed"
        " back.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 计度器倒走 {count} 次；请检查"
        "互感器极性、接线及是否有反送电",
    ),
    FindingKind(
        code="unusual_step",
        severity="warning",
        en="{subject:name}: {amount:number} {unit:unit} were counted from {first_ms:time} to"
        " {until_ms:time}, and at most {usual:number} in any equal time before; the amount"
        " counts, but is doubtful until a person confirms it.",
        zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 用量为 {amount:number} {unit:unit}，"
        "而该表以往同样时长最多为 {usual:number}；已计入，但须经人工确认",
        many_en="{subject:name}: {count} times from {first_ms:time} to {until_ms:time}, more was"
        " counted than in any equal time before, for example {amount:number} instead of"
        " at most {usual:number}; the amounts count, but are doubtful until a person"
        " confirms them.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 有 {count} 次用量超过该表以往"
        "同样时长的最大值（如 {amount:number}，以往最多为 {usual:number}）；已计入，但须经人工确认",
        of_past=True,
    ),
    FindingKind(
        code="stood_still",
        severity="warning",
        en="{subject:name}: no consumption for {days:number} days from {first_ms:time}; judging"
        " by its past, about {expected:number} were expected.",
        zh="{subject:name}：自 {first_ms:time} 起 {days:number} 天用量为 0，"
        "而按该表以往情况应约为 {expected:number}",
        many_en="{subject:name}: no consumption in {count} spans from {first_ms:time} to"
        " {until_ms:time}, for example for {days:number} days; judging by its past, about"
        " {expected:number} were expected in these days.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 有 {count} 段时间用量为 0，"
        "其中一段为 {days:number} 天，而按该表以往情况应约为 {expected:number}",
        of_past=True,
    ),
    FindingKind(
        code="other_unit",
        severity="warning",
        en="{subject:name}: {amount:number} {unit:unit} from {first_ms:time} to {until_ms:time} are"
        " {ratio:exact} times the {expected:number} of other years or months: were they imported"
        " in another unit?",
        zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 用量 {amount:number} {unit:unit}，"
        "约为其他年份或月份相应用量（{expected:number}）的 {ratio:exact} 倍，导入时单位是否有误？",
        of_past=True,
    ),
    FindingKind(
        code="looks_like_register",
        severity="error",
        en="{subject:name}: the consumption never falls from {first_ms:time} to"
        " {until_ms:time}, like a register; were readings of a register imported with --kind"
        " interval?",
        zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 用量只升不降，与表底数相同；"
        "是否将读数按 --kind interval 导入？",
        of_past=True,
    ),
    FindingKind(
        code="unnamed_meter",
        severity="warning",
        en="{subject}: the store has its readings from {first_ms:time} to {until_ms:time}, but"
        " site.toml does not name this meter: they do not count. A meter keeps its id and its"
        " row; state removed or replaced there.",
        zh="{subject}：数据库中有该表 {first_ms:time} 至 {until_ms:time} 的数据，但 site.toml 中"
        "没有此表，未计入；表计标识和条目应保留，拆除、更换请填写 removed、replaced",
    ),
    FindingKind(
        code="published_otherwise",
        severity="warning",
        en="{subject:name}, {indicator:indicator}: {by} published {value} {unit:unit} for {period};"
        " data or rules have changed since. `jieneng publish {period}` compares them.",
        zh="{subject:name}，{indicator:indicator}：{by} 已发布的 {period} 数值为 {value}"
        " {unit:unit}，此后数据或规则有变，可用 `jieneng publish {period}` 比对",
    ),
    FindingKind(
        code="negative_balance",
        severity="error",
        en="{subject:name}: sub-meters of {medium:word} measured more than the meters above"
        " them; the difference is {amount:number} {unit:unit}.",
        zh="{subject:name}：{medium:word}分表计量之和大于总表，差额为 {amount:number} {unit:unit}",
    ),
    FindingKind(
        code="no_comparison",
        severity="info",
        en="There is no comparison with {name} ({years}): the data of these years do not suffice.",
        zh="无法与“{name}”（{years}）对比：这些年份的数据不足",
    ),
    FindingKind(
        code="leap_day",
        severity="info",
        en="Because of 29 February, the compared time in {subject} has {base_days} days, and the"
        " period {days}. The base value is converted to {days} days.",
        zh="因 2 月 29 日，对比时段（{subject}）为 {base_days} 天，本期为 {days} 天；基期值已折算为"
        " {days} 天",
    ),
    FindingKind(
        code="area_joined",
        severity="info",
        en="{subject:name} joined on {day:date}, so only a part of the compared periods has it.",
        zh="{subject:name}自 {day:date} 起纳入，未涵盖对比的全部时段",
    ),
    FindingKind(
        code="area_left",
        severity="info",
        en="{subject:name} left before {day:date}, so only a part of the compared periods has it.",
        zh="{subject:name}自 {day:date} 起不再计入，未涵盖对比的全部时段",
    ),
    FindingKind(
        code="left_out_unmetered",
        severity="info",
        en="{subject:name} has no meter of its own for {media:words}: what it uses of them stays in"
        " the like-for-like figure.",
        zh="{subject:name}没有单独的{media:words}表计，同口径指标中仍含其用量",
    ),
    FindingKind(
        code="like_for_like",
        severity="info",
        en="{subject:name}, {indicator:indicator}: by the areas that existed in both periods"
        " (like-for-like), the change against the base is {change:number} %.",
        zh="{subject:name}，{indicator:indicator}：按两期均存在的区域同口径对比，较基期变化"
        " {change:number}%",
    ),
    FindingKind(
        code="negative_formula",
        severity="warning",
        en="{subject:name}: the consumption by its formula is below 0 on the day from"
        " {first_ms:time}: {amount:number} {unit:unit}; a meter, its ratio or the formula is"
        " wrong.",
        zh="{subject:name}：{first_ms:time} 起一天按公式计算的用量为负（{amount:number}"
        " {unit:unit}），请核对各表读数、倍率和公式",
        many_en="{subject:name}: the consumption by its formula is below 0 on {count} days from"
        " {first_ms:time} to {until_ms:time}, for example {amount:number} {unit:unit}; a meter,"
        " its ratio or the formula is wrong.",
        many_zh="{subject:name}：{first_ms:time} 至 {until_ms:time} 有 {count} 天按公式计算的用量"
        "为负（如 {amount:number} {unit:unit}），请核对各表读数、倍率和公式",
    ),
    FindingKind(
        code="negative_rest",
        severity="warning",
        en="Meters directly below {subject:name} measured {amount:number} {unit:unit} more than it;"
        " a meter, its ratio or its place in the meter tree is wrong.",
        zh="{subject:name}的下级表计量之和比其多 {amount:number} {unit:unit}，请核对读数、倍率和"
        "上下级关系",
    ),
    FindingKind(
        code="incomplete_point",
        severity="warning",
        en="{subject:name}: of the readings of {quantity} that were to be polled, {share:share}"
        " are stored.",
        zh="{subject:name}：测点 {quantity} 应采读数的入库率为 {share:share}",
    ),
    FindingKind(
        code="year_change",
        severity="info",
        en="{subject:name}: {amount:number} {unit:unit} were counted; judging by {year} and by the"
        " other meters, about {expected:number} were expected. To be verified.",
        zh="{subject:name}：用量为 {amount:number} {unit:unit}，按 {year} 年同期及其他表计的变化"
        "应约为 {expected:number}，请核实",
    ),
    FindingKind(
        code="unit_slip",
        severity="warning",
        en="{subject:name}: {amount:number} {unit:unit} are about {ratio:exact} times what {year}"
        " and the other meters suggest; a slip of the unit, the decimal point or a transformer"
        " ratio?",
        zh="{subject:name}：用量 {amount:number} {unit:unit} 约为按 {year} 年同期及其他表计推算值的"
        " {ratio:exact} 倍，是否单位、小数点或倍率有误？",
    ),
    FindingKind(
        code="flat_line",
        severity="warning",
        en="{subject:name}: exactly {amount:number} {unit:unit} on each of {days} days from"
        " {first:date} to {last:date}; was it measured?",
        zh="{subject:name}：{first:date} 至 {last:date} 连续 {days} 天日用量均为 {amount:number}"
        " {unit:unit}，是否为实测？",
    ),
    FindingKind(
        code="zero_line",
        severity="info",
        en="{subject:name}: readings arrived on all {days} days, but nothing was counted.",
        zh="{subject:name}：{days} 天均有读数，但用量一直为 0",
    ),
    FindingKind(
        code="copied_months",
        severity="warning",
        en="{subject:name}: {months} months from {first:date} equal those from {copied:date} to the"
        " last digit; were they copied?",
        zh="{subject:name}：自 {first:date} 起 {months} 个月的用量与自 {copied:date} 起的"
        "各月完全相同，是否重复填报？",
    ),
    FindingKind(
        code="copied_meter",
        severity="warning",
        en="{subject:name}: all {months} months equal those of {other:name} to the last digit; were"
        " they copied?",
        zh="{subject:name}：{months} 个月的用量均与{other:name}完全相同，是否重复填报？",
    ),
    FindingKind(
        code="meter_balance",
        severity="warning",
        en="{subject:name}: in {months} months, the first from {first:date}, the meters below"
        " counted more, by up to {share:share}.",
        zh="{subject:name}：自 {first:date} 起有 {months} 个月下级表计量之和大于本表，最多超出"
        " {share:share}",
    ),
    FindingKind(
        code="bill_other_year",
        severity="warning",
        en="{subject:name}: the bill from {first:date} states {billed:number} {unit:unit}, which"
        " the meter counted on the same days of {year}, but {metered:number} on its own days; were"
        " years exchanged?",
        zh="{subject:name}：自 {first:date} 起的账单为 {billed:number} {unit:unit}，与 {year} 年"
        "同期表计用量一致，而本期表计用量为 {metered:number}，是否年份填反？",
    ),
    FindingKind(
        code="periods_not_annual",
        severity="warning",
        en="{subject:name}, {indicator:indicator}: the published parts of {period} add up to"
        " {total:number} {unit:unit}, and the published year states {value:number} {unit:unit}.",
        zh="{subject:name}（{indicator:indicator}）：{period} 年各期发布值合计为 {total:number}"
        " {unit:unit}，年度发布值为 {value:number} {unit:unit}",
    ),
    FindingKind(
        code="denominator_change",
        severity="info",
        en="{subject:name}: {denominator:word} {value:number}, in {year} {before:number}. To be"
        " verified.",
        zh="{subject:name}：{denominator:word}为 {value:number}，{year} 年为 {before:number}，"
        "请核实",
    ),
    FindingKind(
        code="above_quota",
        severity="info",
        en="{subject:name}: {value:number} {unit:unit}, above the constraint level {limit:number}"
        " of {quota}. To be verified.",
        zh="{subject:name}：{value:number} {unit:unit}，高于“{quota}”约束值 {limit:number}，请核实",
    ),
    FindingKind(
        code="below_guide",
        severity="info",
        en="{subject:name}: {value:number} {unit:unit}, below the guide level {limit:number} of"
        " {quota}. To be verified.",
        zh="{subject:name}：{value:number} {unit:unit}，低于“{quota}”引导值 {limit:number}，请核实",
    ),
    FindingKind(
        code="no_meter",
        severity="warning",
        en="{subject:name}: no meter for {media:words}.",
        zh="{subject:name}：未安装{media:words}表计",
    ),
    FindingKind(
        code="far_below_base",
        severity="warning",
        en="{subject:name}: the figure is only {share:share} of the base year's; check that"
        " both years have the readings of all meters, in the same unit.",
        zh="{subject:name}：该指标仅为基期的 {share:share}，请核对两期读数的单位、倍率和"
        "表计是否一致",
    ),
    FindingKind(
        code="no_baseline",
        severity="warning",
        en="There is no baseline, because there are no data for {subject}. Import its readings"
        " to compare with them.",
        zh="无基期数据：请导入 {subject} 年读数后再作比较",
    ),
    FindingKind(
        code="reported_plan",
        severity="info",
        en="The targets of the plan {subject} are known from reports only. Once the city publishes"
        " its own, write them into plan.toml.",
        zh="{subject} 规划目标目前仅据报道；本市公布后请写入 plan.toml",
    ),
    FindingKind(
        code="equal_months",
        severity="info",
        en="Not every month of {subject} has enough data, so the annual quota is divided equally"
        " among the months, and not by the shares of that year.",
        zh="{subject} 年并非每个月都有足够数据，年度限额按月均分，未按该年各月占比分解",
    ),
    FindingKind(
        code="no_headcount",
        severity="warning",
        en="{subject:name}: the headcount is stated for {known} of {days} days.",
        zh="{subject:name}：统计期 {days} 天中有 {known} 天填报了用能人数",
    ),
    FindingKind(
        code="no_floor_area",
        severity="warning",
        en="{subject:name}: the floor area is stated for {known} of {days} days.",
        zh="{subject:name}：统计期 {days} 天中有 {known} 天填报了建筑面积",
    ),
    FindingKind(
        code="shared_area",
        severity="info",
        en="{subject:name} is shared by several institutions and counts in full for each of them.",
        zh="{subject:name}由多家用能单位共用，在各单位均全额计入",
    ),
    FindingKind(
        code="proxy_factor",
        severity="info",
        en="No {factor:word} of {medium:word} was published for {first:date} to {last:date}; a"
        " later one is used instead: {value:exact} {unit:unit} ({subject}).",
        zh="{first:date} 至 {last:date} 未公布{medium:word}{factor:word}，以后续年份的"
        " {value:exact} {unit:unit} 代替（{subject}）",
    ),
    FindingKind(
        code="provisional_factor",
        severity="info",
        en="The {factor:word} of {medium:word} for {first:date} to {last:date} is not published"
        " yet; the latest one is used instead: {value:exact} {unit:unit} ({subject}).",
        zh="{first:date} 至 {last:date} 的{medium:word}{factor:word}尚未公布，暂用最近一次公布的"
        " {value:exact} {unit:unit}（{subject}）",
    ),
    FindingKind(
        code="hours_not_measured",
        severity="warning",
        en="{subject:name}, {medium:word}: only {share:share} of the hours were measured, less"
        " than {floor:share}. Peaks and other figures that need all hours are not given.",
        zh="{subject:name}（{medium:word}）：实测小时仅占 {share:share}，低于 {floor:share}，不给出"
        "最大需量等需要完整小时数据的数值",
    ),
    FindingKind(
        code="peak_not_measured",
        severity="warning",
        en="{subject:name}, {medium:word}: the peak lies in a time that was not measured; the mean"
        " load of this time was {load:number} {unit:unit}. So peak demand and load factor are not"
        " given.",
        zh="{subject:name}（{medium:word}）：最大需量出现在未按时抄表的时段，该时段平均负荷为"
        " {load:number} {unit:unit}，因此不给出最大需量和负荷率",
    ),
    FindingKind(
        code="nights_not_measured",
        severity="warning",
        en="{subject:name}: there is no leak level, because only {known} of the last {nights}"
        " nights were measured.",
        zh="{subject:name}：最近 {nights} 夜中仅有 {known} 夜为实测，不给出漏损水平",
    ),
    FindingKind(
        code="pue_below_one",
        severity="error",
        en="{subject:name}: there is no PUE, because more was measured for the IT equipment than"
        " for the data room (ratio {ratio:number}); a meter, its ratio or its place in the meter"
        " tree is wrong.",
        zh="{subject:name}：信息设备用电量大于机房总用电量（比值 {ratio:number}），不能给出 PUE；"
        "请检查表计、倍率或上下级关系",
    ),
    FindingKind(
        code="no_it_meter",
        severity="info",
        en="{subject:name}: there is no PUE, because no meter measures the IT equipment. In"
        ' site.toml, write item = "special" and the data room\'s meter as parent.',
        zh="{subject:name}：无信息设备电表，不能计算 PUE；请在 site.toml 中为该表填写"
        ' item = "special"，并以机房总表为 parent',
    ),
    FindingKind(
        code="no_tariff",
        severity="warning",
        en="{subject:name}: no tariff is in force from {first:date} to {last:date}, so the cost is"
        " unknown. Write it into tariffs.toml.",
        zh="{subject:name}：{first:date} 至 {last:date} 无适用电价（价格）类别，费用未知；"
        "请在 tariffs.toml 中填写",
    ),
    FindingKind(
        code="no_price",
        severity="warning",
        en="{subject:name}: the tariff {tariff:name} has no price between {first:date} and"
        " {last:date}, so the cost is unknown. Write the published price into tariffs.toml.",
        zh="{subject:name}：{first:date} 至 {last:date} 之间缺少“{tariff:name}”的价格，费用未知；"
        "请将公布的价格填入 tariffs.toml",
    ),
    FindingKind(
        code="no_demand_price",
        severity="warning",
        en="{subject:name}: on {first:date} the price has no {key} for the charge for demand, so"
        " the cost is unknown. Write it into tariffs.toml.",
        zh="{subject:name}：{first:date} 的价格未填写计收基本电费的 {key}，费用未知；"
        "请填入 tariffs.toml",
    ),
    FindingKind(
        code="price_unusual",
        severity="warning",
        en="{subject:name}: by tariffs.toml a unit costs {price:number} yuan on average, without"
        " the charge for demand; {least:number} to {greatest:number} {unit} are usual. Check the"
        " prices.",
        zh="{subject:name}：按 tariffs.toml 计算，平均单价（不含基本电费）为 {price:number} 元；"
        "一般为 {least:number} 至 {greatest:number} {unit}，请核对价格",
    ),
    FindingKind(
        code="no_account",
        severity="warning",
        en="{subject:name} belongs to no account in tariffs.toml, so the cost is unknown.",
        zh="{subject:name}未归入 tariffs.toml 中的任何户号，费用未知",
    ),
    FindingKind(
        code="reported_tariff",
        severity="info",
        en="The rules of the tariff {subject:name} are known from reports only: {source}.",
        zh="{subject:name}：计价规则目前仅据报道（{source}）",
    ),
    FindingKind(
        code="uncertain_step",
        severity="warning",
        en="{subject:name}: since {first:date} the consumption is known for only {coverage:share}"
        " of the time, so the step of the price may be wrong.",
        zh="{subject:name}：自 {first:date} 起用量已知的时间仅占 {coverage:share}，"
        "所处阶梯可能有误",
    ),
    FindingKind(
        code="unmeasured_distribution",
        severity="info",
        en="{subject:name}: it was not measured at which hours {share:share} of the consumption"
        " occurred. Depending on it, the consumption costs {least:number} to {greatest:number}"
        " yuan.",
        zh="{subject:name}：{share:share} 的用量无法确定所属时段，"
        "用量费用在 {least:number} 至 {greatest:number} 元之间",
    ),
    FindingKind(
        code="unknown_demand",
        severity="warning",
        en="{subject:name}: only {coverage:share} of the quarters of an hour show the demand, so"
        " the greatest demand is unknown.",
        zh="{subject:name}：仅 {coverage:share} 的一刻钟有需量数据，最大需量未知",
    ),
    FindingKind(
        code="unmetered_cost",
        severity="info",
        en="{subject:name}: {share:share} of the consumption, {cost:number} yuan, is not measured"
        " by any sub-meter.",
        zh="{subject:name}：{share:share} 的用量没有分表计量，费用 {cost:number} 元",
    ),
    FindingKind(
        code="cost_exceeds_account",
        severity="warning",
        en="{subject:name}: the sub-meters measured {share:share} more than the account, which"
        " would cost {cost:number} yuan.",
        zh="{subject:name}：分表计量之和比户号用量多 {share:share}，折合 {cost:number} 元",
    ),
    FindingKind(
        code="bill_amount_differs",
        severity="warning",
        en="{subject:name}: the bill of {first:date} to {last:date} is for {billed:number}"
        " {unit:unit}, but the meters measured {metered:number}; the difference is {share:share}.",
        zh="{subject:name}：{first:date} 至 {last:date} 账单用量 {billed:number} {unit:unit}，"
        "表计计量 {metered:number}，相差 {share:share}",
    ),
    FindingKind(
        code="bill_cost_differs",
        severity="warning",
        en="{subject:name}: the bill of {first:date} to {last:date} is {billed:number} yuan, but by"
        " meters and tariff {computed:number} yuan are due; the difference is {share:share}.",
        zh="{subject:name}：{first:date} 至 {last:date} 账单金额 {billed:number} 元，"
        "按表计用量和价格应为 {computed:number} 元，相差 {share:share}",
    ),
    FindingKind(
        code="bill_price_unusual",
        severity="warning",
        en="{subject:name}: by the bill of {first:date} to {last:date}, a unit costs {price:number}"
        " {unit:unit}; {least:number} to {greatest:number} is usual.",
        zh="{subject:name}：{first:date} 至 {last:date} 账单单价为 {price:number} {unit:unit}，"
        "通常为 {least:number} 至 {greatest:number}",
    ),
    FindingKind(
        code="bill_in_other_unit",
        severity="error",
        en="{subject:name}: by the bill of {first:date} to {last:date}, a unit costs {price:number}"
        " {unit:unit}; {least:number} to {greatest:number} is usual. Were yuan taken for 万元, or"
        " 万元 for yuan?",
        zh="{subject:name}：{first:date} 至 {last:date} 账单单价为 {price:number} {unit:unit}，"
        "通常为 {least:number} 至 {greatest:number}；金额的“元”与“万元”是否混淆？",
    ),
    FindingKind(
        code="not_begun",
        severity="info",
        en="No day of {subject} is complete yet.",
        zh="{subject} 尚无完整的一天",
    ),
)

KINDS: Mapping[str, FindingKind] = MappingProxyType({row.code: row for row in _ROWS})
