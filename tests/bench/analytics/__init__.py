"""Measure the analytics of a whole site, from the store to the figures."""
