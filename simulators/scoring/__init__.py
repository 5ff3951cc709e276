"""Score a store against the truth of a simulated run.

In: a truth folder (written during the run) and the arrays that a store holds. Out: counts of lost,
invented, wrong and late readings, and the error of each day's consumption.
Laws: reading and scoring need no simulator and no server; unknown is NaN or None, never 0.
"""
