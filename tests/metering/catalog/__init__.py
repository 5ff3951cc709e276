"""Tests of metering.catalog."""
