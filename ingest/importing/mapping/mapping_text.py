"""Write a row `[[file]]` of `import.toml` that states how a file was read. Pure."""

import json
from collections.abc import Iterable, Iterator

from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.import_report import ImportReport
from ingest.importing.mapping.mapping_file import SWAPPED, FileMapping


def mapping_text(report: ImportReport) -> str:
    """Return the TOML of a row by which the file is read in the same way again."""
    options = report.options
    lines = ["[[file]]", *_scalars(report, options)]
    for key, table in (("columns", _columns(report, options)), ("units", dict(options.units))):
        if table:
            lines += ["", f"[file.{key}]"]
            lines += [
                f"{json.dumps(name, ensure_ascii=False)} = {_toml(table[name])}" for name in table
            ]
    return "\n".join(lines) + "\n"


def _scalars(report: ImportReport, options: ImportOptions) -> Iterator[str]:
    """Yield the lines of the keys with one value."""
    decimals = {
        column.numbers.decimal for column in report.form.columns if column.content == "number"
    }
    orders = {column.times.order for column in report.form.columns}
    stated: dict[str, object] = {
        "match": report.file,
        "kind": report.kind,
        "layout": report.layout,
        "encoding": report.form.encoding,
        "delimiter": report.form.delimiter,
        "header_line": report.form.header_line,
        "decimal": _only(decimals),
        "date_order": SWAPPED if options.swap_days else options.date_order or _only(orders),
        "sheets": options.sheets,
    }
    for field in FileMapping.__struct_fields__:
        if field in ("columns", "units"):
            continue
        value = stated[field] if field in stated else getattr(options, field)
        if field == "zone" and value is not None:
            value = str(value)
        if value not in (None, ()):
            yield f"{field} = {_toml(value)}"


def _only(found: Iterable[str | None]) -> str | None:
    """Return the known value if there is only one; otherwise None."""
    known = set(found) - {None}
    return known.pop() if len(known) == 1 else None


def _columns(report: ImportReport, options: ImportOptions) -> dict[str, str]:
    left_out = {name: "" for name in report.left_out_columns if name in options.columns}
    return {**dict(report.names), **left_out}


def _toml(value: object) -> str:
    """Return a text, number or list of texts as TOML. A JSON string is also a TOML string."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
