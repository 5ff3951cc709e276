"""Publish the batches of the disk queue over MQTT, and take the ingest's acknowledgements back.

In: batches of the spool, oldest and newest in turn. Out: MQTT messages, and confirmations to the
spool. Laws: a batch leaves the spool only when the ingest has stored it or set it aside; a batch
without an acknowledgement is sent again; a backlog never delays live readings for long.
"""
