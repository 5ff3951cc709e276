"""Commands that compute, print and publish figures.

In: arguments and a site folder. Out: tables, JSON, CSV, pages. Law: a command prints, and
`analytics.figure_queries` computes.
"""
