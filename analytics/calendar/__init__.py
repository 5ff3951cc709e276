"""Working days, working hours and nights of a site, and consumption by hour.

In: the table `[hours]` of `alerts.toml`, public holidays, local days.
Out: masks of times, and grids of hours.
Law: pure: no clock, no file.
"""
