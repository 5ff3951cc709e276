"""Tests of edge_agent.whole."""
