"""edge_agent/timekeeping."""
