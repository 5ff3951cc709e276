"""Find unusual consumption of a meter, by comparing it with the meter's whole history. Pure.

In: the stored daily consumption of a meter, of its whole history (`day_history`). Out: findings of
four kinds. `unusual_steps`: consumption far above all other. `standstills`: days without
consumption, although the meter otherwise has consumption each day. `rising_amounts`: amounts that
never fall, because a register was imported as consumption. `unit_slips`: amounts in another unit.
Laws: unusual consumption stays in the figures, because it may be right. Its finding states the
doubt: the amount that exceeds usual consumption. A person may confirm the consumption, which ends
the doubt. With too little history there is no finding.
"""
