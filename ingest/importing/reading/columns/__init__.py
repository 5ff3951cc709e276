"""Determine the kind and the notation of the columns of a table. Pure.

In: the cells of a column, one by one. Out: the form of the column (numbers with decimal comma,
dates with day first, ...), or a question. Law: if the cells don't determine the notation, the
person is asked for it.
"""
