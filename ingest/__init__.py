"""Store what the agents publish: MQTT in, a time series database out.

In: batches and status messages over MQTT, and files of history. Out: points in the store,
acknowledgements, and a quarantine of what could not be stored. Laws: a batch is acknowledged only
once it is stored or quarantined on disk; nothing that can't be stored holds up what comes after it.
"""
