"""Tests of analytics.counters.intervals."""
