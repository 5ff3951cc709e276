"""Read files that hold their values by column, such as Parquet.

In: a file. Out: rows of cells, the names of the columns first. Laws: memory does not grow with the
file; the library that reads it is needed only when such a file is read.
"""
