"""Tests of ingest.admission."""
