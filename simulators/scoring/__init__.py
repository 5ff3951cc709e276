"""Score a store against the true values of a simulated run.

In: a truth folder (written during the run: each answer of a meter, and the true consumption), and
the readings in a store, as arrays. Out: counts of lost, invented, wrong and late readings, and the
error of each day's consumption.
Laws: reading a truth folder and scoring need neither a simulator nor a server. Unknown is NaN or
None, never 0.
"""
