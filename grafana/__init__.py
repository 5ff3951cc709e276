"""Build the Grafana boards from Python into committed JSON.

In: board modules in `boards/`, and names of `jieneng.metering.schema`.
Out: the JSON and YAML files of `provisioning/`.
Law: a board shows stored indicators and never computes one.
"""
