"""The connection to the MQTT broker.

In: settings of the broker. Out: messages, and the broker's own words where it refuses. Law: what
comes and goes here may be lost or repeated; agent and ingest acknowledge to each other.
"""
