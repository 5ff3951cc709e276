"""Read the data for the signals of alert rules from the store, live and in replays.

In: stored readings, polls, statuses, consumption and indicators. Out: values of signals.
Laws: a live round sends only a few queries, however many meters a site has. A round continues at
the time at which the last round ended. Memory is bounded by the length of a chunk. The values of
live rounds and of replays come from the functions of `analytics.alerts.signals`.
"""
