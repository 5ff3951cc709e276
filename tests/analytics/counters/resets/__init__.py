"""Tests of analytics.counters.resets."""
