"""Compute the signals of alert rules from arrays: one function for each signal.

In: readings, polls, statuses, consumption or indicators, as arrays with their times.
Out: a value for each subject and each step of time, NaN where nothing is known.
Laws: pure functions of arrays, with the time as an argument. A step has a value only from what was
known at its end. A value holds for 2.5 times the interval at which it is read, then it is NaN.
`signal_table.FUNCTIONS` names the function of each row of `jieneng.metering.alert_signals`.
"""
