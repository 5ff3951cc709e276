"""Tests of analytics.figures."""
