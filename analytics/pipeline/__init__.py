"""analytics/pipeline."""
