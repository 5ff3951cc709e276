"""Tests of edge_agent.polling."""
