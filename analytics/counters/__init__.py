"""analytics/counters."""
