"""Levels of buildings and annual quotas, from the stored consumption and back to the store.

In: a year. Out: the results of `analytics.figures.quotas`, and their points.
Law: the results are computed only from stored consumption.
"""
