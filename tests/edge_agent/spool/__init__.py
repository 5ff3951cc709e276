"""Tests of edge_agent.spool."""
