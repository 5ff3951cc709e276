"""Tests of ingest.importing.mapping."""
