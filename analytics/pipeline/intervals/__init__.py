"""Consumption by hour or quarter of an hour, for any days.

In: stored consumption and stored readings. Out: arrays by meter or scope and interval, and the
intervals that were measured. Law: an interval without measured consumption never counts as
measured.
"""
