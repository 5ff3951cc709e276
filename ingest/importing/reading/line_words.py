"""Words of headers, and of lines that are no rows of a table. Pure.

Law: words mark a header or a total; they never give a value its meaning (`forms/` does).
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
    """Return True for the usual name of a column, with or without its unit in brackets."""
    return role_of(text) is not None


def is_total(text: str) -> bool:
    """Return True for the name of a row of totals or averages, such as 合 计, 1月小计, Total."""
    bare = text.strip()
    if not bare.isascii():
        bare = bare.replace(" ", "").replace("\u3000", "")
    return _TOTALS.fullmatch(bare) is not None


def is_footer(text: str) -> bool:
    """Return True for a text below a table, such as 制表人：张三."""
    return text.strip().casefold().startswith(_FOOTERS)
