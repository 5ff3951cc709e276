"""Tests of edge_agent.commissioning."""
