"""Rate the quality of the data behind a scope's figures, and say what to mend first.

In: consumption by meter and day, figures with their findings, quotas, bills, published periods,
numbers of stored readings. Out: a score from 0 to 100 with its parts, and the issues, ranked by
what each weighs in the figure.
Laws: pure. A rule that is a finding of the figures already is not computed again. An issue weighs
what it concerns of the figure: a bare percentage of one meter says nothing.
"""
