"""Build Grafana's own alerting: rules, contact points, a mute timing and message templates.

In: names of a site and its rules, receivers and quiet hours of `alerts.toml`.
Out: the file `alerting/jieneng.json` for provisioning, and bodies for Grafana's HTTP API.
Laws: all uids are fixed. The rules read the series that the services write, and compute nothing.
No file contains a secret: Grafana takes secrets from its environment. The notification policies of
the organisation are not changed: each rule names its contact point itself.
"""
