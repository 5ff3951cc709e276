"""Tests of ingest that kill, repeat and flood, and count."""
