"""Scenarios: simulated sites with faults that occurred in real systems, and the right results.

In: a scenario's id. Out: its site, loads, faults and expected figures (golden answers), or a folder
with these as files. Law: a golden answer is calculated by hand, and the calculation is written
beside it.
"""
