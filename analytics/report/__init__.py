"""Reports of figures: an HTML page, tables for the terminal, CSV and JSON.

In: finished `Figure`s, names of scopes, latest readings, and the reader's language.
Out: text: `page`, `terminal_tables`, `csv_output` and `figure_json` make one form each.
Laws: a report shows figures and never computes one; the same data give the same bytes.
"""
