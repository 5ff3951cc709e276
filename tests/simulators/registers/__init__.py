"""Tests of simulators.registers."""
