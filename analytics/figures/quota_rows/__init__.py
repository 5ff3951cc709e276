"""The rows of `quotas.toml`: levels of an intensity, and annual quotas.

In: rows as a person wrote them. Out: their mistakes, and the annual quotas in force in a year.
Laws: pure. The rows contain what a document states; results are computed in
`analytics.figures.quotas`.
"""
