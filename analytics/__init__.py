"""Compute consumption from readings, and indicators with verdicts from consumption.

In: stored readings, `site.toml`, and rule files (factors, plans). Out: stored consumption,
indicators, reports. Law: all modules except `app` and `pipeline` are pure functions on numpy
arrays.
"""
