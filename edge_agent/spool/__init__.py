"""The disk queue: keep batches of samples on disk until the ingest has stored them.

In: samples, which are grouped into numbered batches. Out: batches to publish, and counts of
samples. Laws: at any moment, read = stored + quarantined + pending + dropped, and every dropped
sample is counted under a reason. A committed batch survives a kill and a power cut. After damage to
the file, all readable batches are kept. On a full disk, the oldest batches are dropped first.
"""
