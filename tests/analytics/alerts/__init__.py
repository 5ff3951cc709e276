"""Tests of the alerts: evaluation, notices, and cases from the field."""
