"""Compare each meter with the meters directly below it.

In: stored consumption of a period. Out: the rest of each meter, with a verdict, and findings.
Law: pure.
"""
