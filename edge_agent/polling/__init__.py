"""edge_agent/polling."""
