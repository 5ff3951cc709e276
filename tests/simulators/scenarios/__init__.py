"""Tests of simulators.scenarios."""
