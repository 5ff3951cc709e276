"""Commissioning: find the units on a bus, their models, and the register of a displayed number.

In: the settings of a bus, meter models, and numbers that a person read from a meter's display.
Out: model matches, register addresses, TOML for `site.toml`, sign-off records, and the bus-time
budget that `jieneng check` prints. Laws: the probe only reads, over one connection with one request
at a time. The TOML that it prints is valid input for `site.toml`. An agent runs no code of this
folder.
"""
