"""Tests of analytics.counters."""
