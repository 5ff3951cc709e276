"""ingest/importing."""
