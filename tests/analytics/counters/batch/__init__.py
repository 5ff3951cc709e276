"""Tests of analytics.counters.batch."""
