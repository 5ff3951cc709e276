"""Compute the consumption of many meters at once. Pure, on numpy arrays.

In: the readings of each meter in a window, its devices, and its believed imports. Out: for each
meter its consumption on several grids of intervals, its findings, and the stable part of the
window. Law: each meter has the same digits as if it were computed alone.
"""
