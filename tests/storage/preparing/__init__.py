"""Tests of preparing a server."""
