"""Check the series of a file before anything is written. Pure.

In: (series, time, value) of each cell of a file.
Out: statistics of each series, lengths of its intervals, and problems.
Laws: if there is a problem, nothing is written, unless a person asks to skip bad rows. Apart from
the values themselves, the memory needed does not grow with the number of good values.
"""
