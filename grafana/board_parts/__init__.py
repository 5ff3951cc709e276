"""Panels that several boards show: figures, consumption, findings, agents.

In: the site (`board_site`) and builders of panels and queries.
Out: panels as JSON, for the rows of `grafana.boards`.
Law: a panel belongs here if two boards show it, or if the board's module would otherwise be too
long.
"""
