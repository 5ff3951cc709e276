"""Grafana boards, each a module of its own that `grafana.build` finds by itself.

In: panels, variables and InfluxQL queries from the builders in `grafana`.
Out: for each module, `board(translate)`: the board's JSON, whose file is named after the module.
Laws: a board shows stored indicators and never computes; its UID is fixed, as links hold it.
"""
