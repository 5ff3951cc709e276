"""Rate the quality of the data behind a scope's figures, and rank the issues.

In: consumption by meter and day, figures with their findings, quotas, bills, published periods,
numbers of stored readings. Out: a score from 0 to 100 with its parts, and the issues, ranked by
their share of the figure.
Laws: pure. Findings that the figures have already are not computed again. The weight of an issue is
    the share of the figure that it concerns, because a percentage of a single meter says nothing
    about the figure.
"""
