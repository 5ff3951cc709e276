"""Tests of simulators.scripting."""
