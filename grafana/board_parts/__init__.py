"""Panels that several boards show: figures, consumption, findings, agents.

In: the site (`board_site`) and builders of panels and queries.
Out: panels as JSON, for the rows of `grafana.boards`.
Laws: a part belongs here if two boards show it, or if a board would else be longer than a page.
"""
