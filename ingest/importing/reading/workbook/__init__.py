"""Read XLSX files: bytes in, rows of cells of each sheet out.

In: the bytes of a workbook. Out: its sheets, and their rows. Laws: the size that a sheet states is
ignored, because it is often wrong. A formula without a stored value is an error, not an empty cell.
If a sheet is not read, the report states the reason.
"""
