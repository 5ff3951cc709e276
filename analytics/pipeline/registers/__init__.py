"""Readings and imports of meters, read from the store, and their consumption.

In: meters and a window of time. Out: records of the meters, and their consumption by interval with
findings. Law: one query reads many meters, and results do not depend on the selection of meters in
    a query.
"""
