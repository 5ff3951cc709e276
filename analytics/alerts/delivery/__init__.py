"""Bring notices to their receivers: routes, the queue on disk, retries, mail and messengers.

In: notices of the service, and the receivers and routes of `alerts.toml`. Out: messages to mail
servers, chat robots and webhooks.
Laws: a notice is on the disk before anything is sent, and stays there until its receiver took it or
refused it for a day. Only `notify` knows of messengers. No log line or reason has an address or a
secret.
"""
