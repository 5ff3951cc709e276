"""Tests of edge_agent.timekeeping."""
