"""Compute consumption from readings, and indicators with verdicts from consumption.

In: stored readings, `site.toml` and rule files. Out: stored consumption, indicators, reports.
Law: all modules are pure, on numpy arrays, except `app` and the pipeline.
"""
