"""edge_agent/spool."""
