"""The commands `jieneng alerts`: list, acknowledge, silence, test a rule, try a receiver.

In: the alerts and marks of the store, and `alerts.toml`. Out: tables or JSON, and marks.
Law: the commands read alerts that the service wrote, and write marks that the service reads. They
never evaluate a rule in place of the service. They send no notice except the sample of
`notify --try`.
"""
