"""Read what alerts need from the store, and keep their states in it.

In: the measurements `alert`, `alert_mark` and `alert_round`. Out: alerts, marks and the rounds of
each copy of the service, and points of `alert` and `alert_round`.
Law: whatever a service needs after a restart, or another copy when it takes over, is in the store.
"""
