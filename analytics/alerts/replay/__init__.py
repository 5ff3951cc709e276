"""Replay a rule over stored history, to show the alerts and notices that it would have given.

In: values of a signal from the store, in chunks. Out: episodes, notices, and their summary, for the
rule with its own limits and with other limits.
Law: the replay uses the same functions as the service to evaluate alerts and to plan notices.
"""
