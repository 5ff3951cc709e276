"""Remember which batches came in, and report what the ingest holds of each agent.

In: boots and sequence numbers of the batches of all copies on a machine. Out: the ranges that are
missing, and the series `receipt`. Laws: memory and file are bounded, whatever is sent; what can't
be remembered holds up nothing; a gap is a hint, for a batch may still be pending.
"""
