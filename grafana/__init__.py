"""Boards as Python, built into committed JSON. They show indicators and never compute them."""
