"""Tariffs: prices by time, amount and account.

In: rows of `tariffs.toml`. Out: for each account and day, the price period of each half hour, the
price of each period, and the charge for demand.
Laws: pure, except `tariff_files`, which reads the files. A price that was not published is unknown
(NaN), never 0 and never that of another month.
"""
