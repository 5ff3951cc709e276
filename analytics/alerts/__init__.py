"""Compare signals with the rules of `alerts.toml`, and send notices when alerts change.

In: readings, health, consumption and indicators of the store; rules, routes and the calendar.
Out: the measurement `alert`, and notices to receivers.
Laws: rules, states and notices are pure functions of arrays and structs, with the time as an
argument. Missing data neither fires an alert nor ends one. A notice is sent once for an event,
however often the service restarts and however many copies of it run.
"""
