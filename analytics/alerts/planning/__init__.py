"""Plan notices from alerts: find due events, and group them. Silenced alerts give no events.

In: the alerts before and after an evaluation, the rules, the site, and marks that people made. Out:
notices, and the alerts with their notice records (see `Alert`).
Laws: pure, with the time as an argument. Notices depend on the alerts alone, so a restarted
service, or another copy of the service, continues where the last process stopped.
"""
