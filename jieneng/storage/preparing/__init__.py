"""Prepare a server for this product: database or bucket, retention, users or tokens.

In: the settings of `[store]`, the credentials of an administrator, and options. Out: one event for
each thing that existed, was created or would be created. Laws: a second run and a dry run change
nothing. No change deletes points. A new secret is returned once and not stored.
"""
