"""analytics/figures."""
