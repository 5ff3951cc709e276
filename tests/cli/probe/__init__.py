"""Tests of cli.probe."""
