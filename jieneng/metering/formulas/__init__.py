"""Formulas that people write in `site.toml`.

In: the text of a formula. Out: its terms. Law: pure.
"""
