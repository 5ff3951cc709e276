"""Loads: the consumption and the rate behind each meter, at any moment of any year.

In: recipes, the calendar and weather of the simulated days, measured CSV files, a seed.
Out: objects with `consumption` and `rate` for arrays of UTC milliseconds (`load.Load`).
Laws: a load is a function of time alone and its consumption never falls; the same seed gives
the same digits, in whatever order and grouping the moments are computed.
"""
