"""Check messages, and decide which samples are stored and which are quarantined.

In: topic and payload of a message. Out: points for the store, and items for the quarantine with
their reasons. Laws: any payload gives a result, never an exception. If one sample of a message is
refused, the other samples are still stored. Before a sample is refused because of the site's files,
these files are read again, because they may have changed.
"""
