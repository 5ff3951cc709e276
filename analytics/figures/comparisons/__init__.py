"""Compare figures in further ways, which never change the verdict of the plan's comparison.

In: inputs of the indicators in two periods. Out: a `FigureComparison` for each figure.
Law: pure.
"""
