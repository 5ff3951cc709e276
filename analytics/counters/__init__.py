"""Compute a meter's consumption by interval from its stored readings. Pure, on numpy arrays.

In: readings of the register, imported intervals, and the recorded devices of the meter
(`meter_devices`). Out: consumption by interval, and findings.

The steps:

1. Select the readings that are believed: `stray_readings`, `reading_runs`, `believed_register`,
   `register_segments`. `resets` treats registers that are reset to 0 each day, month or year.
2. Select the imported intervals that are believed: `interval_check`.
3. Compute `consumption` from both, by the rooms of `intervals`. `batch` does steps 1 and 3 for many
   meters at once, with the same digits.
4. Compare the stored consumption with the meter's whole history: `own_past`.

Laws: everything that the register counted is kept. Unknown consumption is NaN. Implausible readings
never become consumption. If consumption may be wrong, there is a finding with the largest possible
error (its doubt).
"""
