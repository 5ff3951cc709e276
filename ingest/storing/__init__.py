"""Write checked messages to the store, and decide what is acknowledged.

In: checked messages of many agents. Out: points in the store, items for the quarantine, and
acknowledgements. Laws: a sample is acknowledged as stored only after the store has confirmed it. If
the store refuses samples with an unknown error, they are quarantined only after three refusals over
an hour. Samples that can't be acknowledged never block others.
"""
