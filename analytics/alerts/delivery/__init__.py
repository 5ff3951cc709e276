"""Deliver notices to their receivers: routes, outbox on disk, retries, mail and messengers.

In: notices of the service, and the receivers and routes of `alerts.toml`. Out: messages to mail
servers, chat robots and webhooks.
Laws: a notice is written to the disk before it is sent. It stays there until its receiver accepted
it, or refused it for a day. Only `notify` talks to messengers. No log line and no failure reason
contains an address or a secret.
"""
