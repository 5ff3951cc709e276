"""Tests of ingest.storing."""
