"""Turn the rows of a file into values of meters. Pure.

In: rows of cells, the site, and options for reading the file.
Out: (series, time, value) of each cell, and a problem for each cell that can't be read.
Laws: the form of a file is detected, shown, and can be set by options; a wrong cell is reported
with its line, column and fix, and is never guessed.
"""
