"""Compare consumption with quotas (用能限额): levels of an intensity, and annual quotas.

In: consumption by day, rows of `quotas.toml`. Out: the level that each building reaches in a year,
with its rank among the buildings of the same quota; and how much of annual quotas is used, by
month, with what remains.
Laws: pure. A quota is applied with its own coal and carbon factors, never with the factors of
another quota.
"""
