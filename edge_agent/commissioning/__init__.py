"""edge_agent/commissioning."""
