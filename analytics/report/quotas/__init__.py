"""Show the results of quotas: as tables for a terminal, as JSON and as CSV.

In: results of `analytics.figures.quotas`. Out: texts.
Laws: pure. Nothing is computed here. An unknown value is never shown as 0.
"""
