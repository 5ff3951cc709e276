"""Tests of analytics.alerts."""
