"""Tests of simulators.encoding."""
