"""Tests of ingest.importing."""
