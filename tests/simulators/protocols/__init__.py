"""Tests of simulators.protocols."""
