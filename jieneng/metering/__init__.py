"""Meters, sites and readings: structs, checks and forms that all services share.

In: values read from files, meters and messages. Out: structs, checked, and the names in the store.
Laws: pure, so no clock, socket, event loop, files or numpy; unknown is missing or NaN, never 0.
"""
