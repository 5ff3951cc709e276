"""Read files with tables: bytes in, rows of cells out.

In: a CSV, gzipped CSV, text, XLSX or Parquet file, and the parts of its form that a person states.
Out: rows of cells with their line numbers, and the form in which the file was read (encoding,
header, notation of columns, ...). Laws: a file is read row by row and always closed. The detected
form is shown and can be overridden. Cells that contradict the form are reported.
"""
