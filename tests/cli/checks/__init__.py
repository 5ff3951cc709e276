"""Tests of jieneng.cli.checks."""
