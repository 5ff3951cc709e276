"""Tests of ingest.receipts."""
