"""Grafana boards: one module each, found by `grafana.build`.

In: panels, variables and InfluxQL queries from the modules of `grafana`.
Out: `board(translate)` of each module, the JSON of a board, whose file is named after the module.
Laws: a board shows stored indicators and never computes one. Its UID is fixed, because links use
it.
"""
