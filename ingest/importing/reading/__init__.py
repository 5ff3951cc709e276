"""Read files of history: bytes in, rows of cells out.

In: a CSV, gzipped CSV, text or XLSX file, and what a person says of its form. Out: rows of cells,
each with its line, and the form in which the file was read. Laws: a file is read row by row and is
always closed; what was detected is shown and can be overridden; what contradicts it is reported.
"""
