"""The disk queue: batches stay here from the moment they are read until the ingest has stored them.

In: polls, grouped into numbered batches. Out: batches to publish, and counts of every sample. Laws:
read = stored + quarantined + pending + dropped at any moment, and every dropped sample has its
reason; a batch that was committed survives a kill and a power cut; a damaged or full disk costs as
little as can be.
"""
