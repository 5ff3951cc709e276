"""Compute figures: indicators of a scope and period, with their targets and verdicts.

In: daily consumption by meter, dated factors, plans with targets and caps, and the site's areas.
Out: `Figure`s, each with unit, base value, target, verdict, coverage and findings.
Laws: nothing here reads or writes files or stores. An unknown value is never 0. Without enough data
there is no verdict.
"""
