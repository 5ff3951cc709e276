"""Render figures as an HTML page, as tables for the terminal, as CSV and as JSON.

In: finished `Figure`s, names of scopes, latest readings, and the reader's language.
Out: text. `page`, `terminal_tables`, `csv_output` and `figure_json` render one format each.
Laws: a report shows figures and never computes one. The same data give the same bytes.
"""
