"""The Grafana boards: one module for each board; `grafana.build` finds the modules.

In: panels, variables and InfluxQL queries from the modules of `grafana`.
Out: the function `board(site)` of each module, which returns the JSON of the board. The JSON file
has the name of the module.
Laws: a board shows stored indicators and never computes one. The UID of a board never changes,
because links contain it.
"""
