"""Forecast a running year to its end.

In: daily consumption of a scope in the running year so far, and in the years before. Out: the
expected value of each indicator, with a band that contains 80 % of outcomes.
Laws: pure. A forecast is computed from past consumption of the same scope; without data of last
year there is no forecast.
"""
