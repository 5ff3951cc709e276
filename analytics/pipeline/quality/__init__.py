"""Read the inputs of the rating of data quality, and write its results.

In: the store, the figures of the pipeline, published files. Out: a `QualityReport`, and points of
the measurements `completeness`, `data_quality` and `quality_issue`.
Law: nothing is rated here; `analytics.quality` rates.
"""
