"""Replay a rule over stored history: how often would it have fired, and whom would it have told.

In: values of a signal from the store, in chunks. Out: episodes, notices, and their summary, for the
rule as it is and for other limits.
Law: the replay uses the same functions as the service to evaluate alerts and to plan notices.
"""
