"""Replay a rule over stored history: how often would it have fired, and whom would it have told.

In: values of a signal from the store, in chunks. Out: episodes, notices, and their summary, for the
rule as it is and for other limits.
Law: the alerts are advanced and the notices planned by the functions of the service.
"""
