"""Check the rows of fault scripts, compute their times, and apply them to buses and meters.

In: rows of faults, from a file or switched on during the run; the simulated site; a seed.
Out: the faults in force for an answer, a bus or a meter, or a list of all problems of the rows.
Laws: if one row has a problem, no row is accepted. The same seed, script and order of requests give
the same faults. A fault that has ended stays in the list of faults.
"""
