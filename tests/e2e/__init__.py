"""Tests of all services together, with real servers."""
