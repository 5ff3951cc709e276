"""Render analyses other than the figures of the plan: for the terminal, the page, JSON and CSV.

In: results of the analytics. Out: tables and texts.
Laws: nothing is computed. An unknown value is "—" in a table, null in JSON and an empty cell in
CSV.
"""
