"""Compare a meter's consumption with all that it has ever consumed. Pure, on numpy arrays.

In: the stored consumption of a meter by local day, of its whole history (`day_history`).
Out: findings. Steps far above all others (`unusual_steps`), days without consumption of a meter
that never stands still (`standstills`), and amounts that never fall (`rising_amounts`).
Laws: nothing is set aside here, because the counter may be right and the past a poor guide. A
finding puts in doubt what is beyond the past, until a person confirms it. Without enough past there
is no finding.
"""
