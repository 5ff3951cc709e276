"""Record which batches were received, and report the counts of each agent.

In: boot ids and sequence numbers of the batches, from all ingest processes on a machine. Out:
ranges of missing sequence numbers, and the series `receipt`. Laws: the sizes of memory and file are
limited, whatever is sent. If something can't be recorded, the batch is stored all the same. A
missing number is only a hint, because the batch may still be pending at the agent.
"""
