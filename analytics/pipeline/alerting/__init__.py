"""Evaluate alert rules on stored data, and keep the states of alerts in the store.

In: the measurements `alert`, `alert_mark` and `alert_round`. Out: alerts, marks and the rounds of
each copy of the service, and points of `alert` and `alert_round`.
Law: the store contains everything that a service needs to continue after a restart, and everything
that another copy of the service needs to take over.
"""
