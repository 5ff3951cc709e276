"""Decide which messages and samples a site admits.

In: topic and payload of a message. Out: points for the store, and what to quarantine with its
reason. Laws: any bytes have an outcome, never an exception; a sample that is refused costs no other
sample; what the site's files say is read again before it refuses anybody.
"""
