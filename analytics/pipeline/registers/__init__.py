"""Readings and imports of meters, read from the store, and the consumption that they give.

In: meters and a window of time. Out: records of the meters, and their consumption by interval with
findings. Law: one query reads many meters, and no result depends on which are read together.
"""
