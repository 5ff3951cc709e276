"""Tests of analytics.report."""
