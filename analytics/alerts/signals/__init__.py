"""Compute the signals of alert rules from arrays: one function for each signal.

In: readings, polls, statuses, consumption or indicators, as arrays with their times.
Out: a value for each subject and each step of time, NaN where the value is unknown.
Laws: pure functions of arrays, with the time as an argument. The value of a step depends only on
data from before the end of the step. A value holds for 2.5 times the interval at which it is read;
after that it is NaN.
`signal_table.FUNCTIONS` names the function of each row of `jieneng.metering.alert_signals`.
"""
