"""Compare buildings with quotas (用能限额): constraint, benchmark and guide level of an intensity.

In: consumption by day, rows of `quotas.toml`. Out: the level that each building reaches in a year,
and its rank among the buildings of the same quota.
Laws: pure. A quota is applied with its own coal and carbon factors, never with the factors of
another quota.
"""
