"""Layouts of files, for example a column for each meter: one module for each layout. Pure.

In: the form of a file, the roles of its columns, and its rows. Out: the values of each row, with
their series, time and length of interval. Laws: each layout decides if it fits a file; of several
that fit, the first one in `layout_choice` is used. A cell that can't be read is reported with its
fix.
"""
