"""Runs in the building: polls meters, keeps every reading on disk, publishes it.

A reading goes through the folders in this order:

- `polling`: decide which meter is due, ask it, and turn its replies into a sample.
- `protocols`: the bytes of a request and of its reply, one file a protocol.
- `links`: TCP connections and serial ports; one exchange at a time.
- `spool`: the queue on the disk; a batch stays there until the ingest has stored it.
- `publishing`: from the spool to MQTT, and acknowledgements back.
- `timekeeping`: whether the system's clock can be trusted.

Beside them: `settings` says what an agent has to do, `app` builds the parts and ends them, `health`
and `metrics` report on them. `commissioning` never runs in an agent: it is for `jieneng edge probe`
and `jieneng check`.
"""
