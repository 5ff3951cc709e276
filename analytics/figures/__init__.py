"""Compute figures: indicators of a scope and period, with their targets and verdicts.

In: daily consumption by meter, dated factors, plans with targets and caps, and the site's areas.
Out: `Figure`s, each with its unit, base value, target, verdict, coverage and findings.
Laws: nothing here reads or writes; an unknown value is never 0; no verdict without enough data.
"""
