"""Tests of simulators.scoring."""
