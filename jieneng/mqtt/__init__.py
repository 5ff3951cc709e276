"""The connection to the MQTT broker.

In: settings of the broker. Out: messages, and explanations if the broker refuses something. Law:
messages may be lost or repeated here. Therefore the ingest acknowledges batches to the agent by
messages of its own.
"""
