"""Read XLSX files: bytes in, rows of cells of each sheet out.

In: the bytes of a workbook. Out: its sheets, and their rows. Laws: the size that a sheet states is
not believed; a formula without a stored value is no empty cell; every sheet is read, or it is said
why not.
"""
