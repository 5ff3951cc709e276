"""Costs from stored consumption and bills, and the measurement `cost`.

In: the tariffs of a site, consumption by interval, and stored bills. Out: costs of accounts and
scopes, and points of the measurement `cost`. Law: memory holds one month of one account's meters at
a time, and sums by day.
"""
