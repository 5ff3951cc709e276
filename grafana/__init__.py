"""Build the Grafana boards as JSON files, from Python.

In: one module for each board in `boards/`, and names of series from `jieneng.metering.schema`.
Out: the JSON and YAML files in `provisioning/`, which are committed.
Law: a board shows stored indicators and never computes one.
"""
