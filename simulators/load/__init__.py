"""Compute the true consumption and rate behind each simulated meter, at any moment of any year.

In: recipes (typical consumption of offices, canteens, ...), the calendar and weather of the
simulated days, measured CSV files, and a seed.
Out: objects with the functions `consumption` and `rate` for arrays of UTC milliseconds
(`load.Load`).
Laws: a load depends only on time and seed. Its consumption never falls. A moment gives the same
digits, whether it is computed alone or together with others, and in any order.
"""
