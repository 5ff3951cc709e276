"""Statements of the embedded store, and the numbers of its series.

In: an open connection, measurements, tags and times. Out: arrays by series. Law: every function
runs in the thread of the store that owns the connection.
"""
