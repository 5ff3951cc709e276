"""Forecast a running year to its end.

In: daily consumption of a scope so far, and of the years before. Out: the expected value of each
indicator, with the band that holds 80 % of outcomes.
Laws: pure. A forecast rests on the consumption's own past; without last year there is none.
"""
