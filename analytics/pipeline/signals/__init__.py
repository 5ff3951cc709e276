"""Read what the signals of alert rules need from the store, live and in replays.

In: stored readings, polls, statuses, consumption and indicators. Out: values of signals.
Laws: a live round takes a handful of queries, however many meters there are, and continues where
the last one ended. Memory is bounded by the length of a chunk. The values of live rounds and of
replays come from the functions of `analytics.alerts.signals`.
"""
