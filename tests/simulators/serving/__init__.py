"""Tests of simulators.serving."""
