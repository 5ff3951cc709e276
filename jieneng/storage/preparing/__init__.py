"""Make a server ready for this product: database or bucket, retention, users or tokens.

In: the settings of `[store]`, an administrator's credentials, and a wish. Out: an account of each
thing that was there, was made or would be made. Laws: a second run changes nothing; a dry run
changes nothing; nothing is made that would delete points; a secret is told once and never kept.
"""
