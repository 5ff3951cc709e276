"""Costs from stored consumption and bills, and the measurement `cost`.

In: the tariffs of a site, consumption by interval, and stored bills. Out: costs of accounts and
scopes, and points of the measurement `cost`. Law: one month of one account's meters is in memory at
a time, beside sums by day.
"""
