"""Tests of the inputs of indicators."""
