"""Commands that print an analysis of a period: carbon by cause.

In: options of the command line. Out: a table, JSON or CSV on standard output.
Law: a command reads the folder, calls `analytics.app`, and prints; it computes nothing.
"""
