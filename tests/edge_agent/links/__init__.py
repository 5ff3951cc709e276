"""Tests of edge_agent.links."""
