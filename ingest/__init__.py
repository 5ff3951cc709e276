"""Store what the agents publish: MQTT in, a time series database out.

In: batches and status messages over MQTT, and files with earlier readings. Out: points in the
store, acknowledgements, and a quarantine for samples that could not be stored. Laws: a batch is
acknowledged only when it is stored or quarantined on disk. Samples that can't be stored never delay
others.
"""
