"""Publish the batches of the disk queue over MQTT, and receive the ingest's acknowledgements.

In: batches of the spool. The oldest and the newest are sent in turn, so a backlog never delays live
readings for long. Out: MQTT messages, and confirmations to the spool. Laws: a batch is removed from
the spool only when the ingest has stored or quarantined it. A batch without an acknowledgement is
sent again.
"""
