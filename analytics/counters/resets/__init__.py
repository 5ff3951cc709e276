"""Registers that are reset to 0 each day, month or year. Pure, on numpy arrays.

`reset_pattern` recognises such a register by its readings. `reset_lives` splits the register of a
meter for which `site.toml` declares the resets. Law: the consumption of a period of the resets is
never counted twice; the consumption between the last reading and the reset is estimated and marked.
"""
