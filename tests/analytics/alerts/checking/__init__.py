"""Tests of analytics.alerts.checking, and of the files that it checks."""
