"""Tests of ingest.importing.cells."""
