"""edge_agent/links."""
