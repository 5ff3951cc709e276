"""From a meter's stored register to its consumption by interval. Pure, on numpy arrays.

In go readings and the recorded devices of the meter (`meter_devices`); out come the believed
register (`reading_runs`, `believed_register`, `register_segments`) and the `consumption`.
Laws: what was counted is kept, unknown is NaN, and implausible readings never become consumption.
"""
