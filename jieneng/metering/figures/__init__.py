"""Tables of figures beside the indicators: one row each, with unit, name and definition.

In: nothing. Out: rows that the analytics computes, and that terminal, JSON, CSV and boards show.
Law: pure; the standard library and msgspec only.
"""
