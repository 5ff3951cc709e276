"""Compute the sums of a window: of virtual meters, scopes, sub-items and unmetered consumption.

In: the consumption of all registers of a site in a window, by interval. Out: series to be stored.
Laws: pure. Each series is computed for the structure of the site on each day.
"""
