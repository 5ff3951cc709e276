"""Recognise headers, totals and notes by their words. Pure.

Law: these words only decide which lines are rows of values. The meaning of a value is determined in
`forms/`.
"""

import re
from typing import Final

from ingest.importing.forms.column_words import role_of

_TOTALS: Final = re.compile(
    r"(?:[\w.\-/ ]{0,20}?[年月日周季度]?)?"
    r"(?:合计|总计|小计|共计|总和|累计|平均值?|最大值?|最小值?|均值|峰值|谷值)[:：]?"
    r"|(?:grand |sub)?totals?:?|sum(?: total)?:?|average:?|mean:?|max(?:imum)?:?|min(?:imum)?:?"
    r"|gesamt|summe",
    re.IGNORECASE,
)
_FOOTERS: Final = (
    *("注", "备注", "说明", "制表", "编制", "审核", "审批", "复核", "填表", "填报", "打印", "导出"),
    *("报送", "数据来源", "来源", "抄表人", "负责人", "单位负责人", "统计人", "第", "共", "日期："),
    *("note", "source", "printed", "exported", "generated", "page"),
)


def is_header_word(text: str) -> bool:
    """Return True if a text is a usual name of a column, with or without a unit in brackets."""
    return role_of(text) is not None


def is_total(text: str) -> bool:
    """Return True if a text is the name of a row of totals or averages: 合 计, 1月小计, Total."""
    bare = text.strip()
    if not bare.isascii():
        bare = bare.replace(" ", "").replace("\u3000", "")
    return _TOTALS.fullmatch(bare) is not None


def is_footer(text: str) -> bool:
    """Return True if a text is a note below a table, such as 制表人：张三."""
    return text.strip().casefold().startswith(_FOOTERS)
