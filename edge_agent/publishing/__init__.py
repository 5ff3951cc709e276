"""edge_agent/publishing."""
