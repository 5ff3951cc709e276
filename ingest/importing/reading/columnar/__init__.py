"""Read files that store values by column, such as Parquet.

In: a file. Out: rows of cells; the first row contains the names of the columns. Laws: the memory
needed does not grow with the file. The library for Parquet is imported only when such a file is
read.
"""
