"""Read times and numbers from cells. Pure.

In: cells of a column, and its notation. Out: times [UTC, ms], periods and numbers. Laws: a
notation is judged by the column, never by the cell; a cell is read by its notation or is an error
with its fix; empty cells are missing.
"""
