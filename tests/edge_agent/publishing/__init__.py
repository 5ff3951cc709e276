"""Tests of edge_agent.publishing."""
