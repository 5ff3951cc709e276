"""Compute a meter's consumption by interval from its stored register. Pure, on numpy arrays.

In: readings, imported intervals, and the recorded devices of the meter (`meter_devices`).
Out: the believed register (`stray_readings`, `reading_runs`, `believed_register`,
`register_segments`; `reset_lives` of a register that begins again at 0), the believed intervals
(`interval_check`), the `consumption` computed from them, and findings. `own_past` compares stored
consumption with a meter's whole history.
Laws: everything that the register counted is kept; unknown consumption is NaN; implausible readings
never become consumption; what may be wrong is a finding with its doubt.
"""
