"""Tests of simulators.load."""
