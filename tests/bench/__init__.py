"""Measurements. They never fail a build."""
