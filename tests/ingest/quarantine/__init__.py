"""Tests of ingest.quarantine."""
