"""The agent in the building: polls meters, keeps every reading on disk, and publishes it.

A reading goes through the folders in this order:

- `polling`: decide which meter is due, ask it, and turn its replies into a sample.
- `protocols`: the bytes of a request and of its reply, one file for each protocol.
- `links`: TCP connections and serial ports; one exchange at a time.
- `spool`: the queue on the disk; a batch stays there until the ingest has stored it.
- `publishing`: from the spool to MQTT, and acknowledgements back.
- `timekeeping`: decide whether the system clock can be trusted.

They import each other in one direction: protocols, links, timekeeping, polling, spool, publishing,
each only what comes before it. Beside them, `settings` tells what an agent has to do, `app` builds
the parts and ends them, `circuit_breaker` delays retries, and `health` and `metrics` report on the
agent. `commissioning` never runs in an agent: it serves `jieneng edge probe` and `jieneng check`.
"""
