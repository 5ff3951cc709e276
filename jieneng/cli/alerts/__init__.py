"""The commands `jieneng alerts`: list, acknowledge, silence, test a rule, try a receiver.

In: the alerts and marks of the store, and `alerts.toml`. Out: tables or JSON, and marks.
Law: the commands read what the service wrote and leave marks for it; they never evaluate a rule for
it and never send a notice, except the sample of `notify --try`.
"""
