"""Registers that are reset to 0 each day, month or year. Pure, on numpy arrays.

`reset_pattern` recognises such a register by its readings. `reset_lives` splits the register of a
meter for which `site.toml` declares the resets. Law: the consumption of a period of the resets is
never counted twice, and what was not read at its end is estimated and marked.
"""
