"""Layouts of files: one module each. Pure.

In: the form of a file, the roles of its columns, and its rows. Out: the values of each row, with
their series, time and length. Laws: a layout says by itself if it fits a file; a layout that fits
several is listed first in the registry; a cell that can't be read is reported with its fix.
"""
