"""Compute a meter's consumption by interval from its stored register. Pure, on numpy arrays.

In: readings, and the recorded devices of the meter (`meter_devices`).
Out: the believed register (`reading_runs`, `believed_register`, `register_segments`), and the
`consumption` computed from it.
Laws: everything that the register counted is kept; unknown consumption is NaN; implausible readings
never become consumption.
"""
