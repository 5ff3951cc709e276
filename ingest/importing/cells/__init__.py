"""Read times and numbers from cells. Pure.

In: cells of a column, and the notation of the column (decimal sign, order of day and month, ...).
Out: times [UTC, ms], periods and numbers. Laws: the notation is determined from the whole column,
never from a single cell. A cell that can't be read in this notation is an error with its fix. Empty
cells are missing values.
"""
