"""Run `jieneng grafana`: build the boards and Grafana's alerting of a site, or send them.

In: a site's folder with its `alerts.toml`.
Out: files for provisioning, or calls of Grafana's HTTP API.
"""
