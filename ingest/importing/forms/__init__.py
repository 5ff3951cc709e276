"""Turn the rows of a file into values of meters. Pure.

In: rows of cells, the site, and options for reading the file.
Out: (series, time, value) of each cell, and a problem for each cell that can't be read.
Laws: the form of a file is detected and shown, and options can override it. A wrong cell is
reported with line, column and fix; its value is never guessed.
"""
