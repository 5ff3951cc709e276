"""Compare figures in ways that stand beside the plan's comparison and never change its verdict.

In: inputs of the indicators in two periods. Out: a `FigureComparison` for each figure.
Law: pure.
"""
