"""Figures of scopes by period: indicators, targets and the verdicts on them.

In: daily consumption by meter, dated factors, plans with targets and caps, and the site's areas.
Out: `Figure`s, each with its unit, base value, target, verdict, coverage and findings.
Laws: nothing here reads or writes; an unknown value is never 0; no verdict without enough data.
"""
