"""Commissioning aids: find the units on a bus, their models, and the register behind a display.

In: the settings of a bus, meter models, and numbers that a person read from a display. Out: model
matches, register locations, TOML for `site.toml`, sign-off records, and the bus-time budget that
`jieneng check` prints. Laws: the probe only reads, over one connection with one request at a time;
all that it prints can be read back; nothing in here runs inside an agent.
"""
