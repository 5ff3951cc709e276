"""The agent in the building: polls meters, keeps every reading on disk, and publishes it.

A reading goes through the folders in this order:

- `polling`: decide which meter is due, ask it, and turn its replies into a sample.
- `protocols`: the bytes of a request and of its reply; one module for each protocol.
- `links`: TCP connections and serial ports, with one request at a time.
- `spool`: the queue on the disk. A batch stays there until the ingest has stored it.
- `publishing`: publish batches over MQTT, and receive acknowledgements.
- `timekeeping`: decide if the system clock can be trusted.

Imports go in one direction: each of protocols, links, timekeeping, polling, spool, publishing may
import only those before it in this list. In addition, `settings` reads what the agent has to do,
`app` starts and stops the parts, `circuit_breaker` delays retries, and `health` and `metrics`
report on the agent. `commissioning` is not part of a running agent: the commands
`jieneng edge probe` and `jieneng check` use it.
"""
