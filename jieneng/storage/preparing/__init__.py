"""Prepare a server for this product: database or bucket, retention, users or tokens.

In: the settings of `[store]`, the credentials of an administrator, and options. Out: one event for
each thing that existed, was created or would be created. Laws: a second run changes nothing; a dry
run changes nothing; no change deletes points; a secret is handed out once and never kept.
"""
