"""Tests of analytics.pipeline."""
