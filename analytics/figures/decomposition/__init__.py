"""Split the change of carbon between two years into its causes.

In: the inputs of a scope's indicators in both years. Out: the effects of activity, supply, emission
factors and floor area, which add up to the change.
Laws: pure. The method is exact, treats both years alike, and needs no logarithm, so that an amount
or a factor may be 0.
"""
