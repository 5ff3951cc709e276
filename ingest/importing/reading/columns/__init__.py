"""Tell what the columns of a table hold, and in which notation. Pure.

In: the cells of a column, one by one. Out: the form of the column, or a question. Law: a notation
that the cells don't decide is asked for.
"""
