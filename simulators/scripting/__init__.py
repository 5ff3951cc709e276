"""Fault scripts: check the rows, place them in time, and hand them to buses and meters.

In: rows of faults, from a file or switched on while running; the simulated site; a seed.
Out: the faults in force for an answer, a bus or a meter, or a list of all problems of the rows.
Laws: rows are accepted all together or not at all; the same seed, script and questions in the same
order give the same faults; a fault that has begun stays on record when it ends.
"""
