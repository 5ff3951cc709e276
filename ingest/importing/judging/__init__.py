"""Judge the series of a file before anything is written. Pure.

In: (series, time, value) of each cell of a file.
Out: statistics of each series, lengths of its intervals, and problems.
Laws: nothing is written if there is a problem, unless bad rows are skipped on request; memory does
not grow with the number of good values.
"""
