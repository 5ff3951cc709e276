"""Tests of edge_agent.protocols."""
