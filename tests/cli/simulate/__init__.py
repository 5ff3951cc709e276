"""Tests of cli.simulate."""
