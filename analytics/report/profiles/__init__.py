"""Render load profiles for people and for other programs.

In: load profiles. Out: tables and charts in text for a terminal, JSON and CSV. Laws: pure. An
unknown value is "—", null or an empty cell, never 0.
"""
