"""Tests of ingest.importing.reading."""
