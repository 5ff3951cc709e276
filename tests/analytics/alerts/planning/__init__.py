"""Tests of analytics.alerts.planning."""
