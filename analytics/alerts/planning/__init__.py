"""Plan notices from alerts: what is due, for whom it waits, and what stays untold.

In: the alerts before and after an evaluation, the rules, the site, and marks that people made. Out:
notices, and the alerts with the account of what was told.
Laws: pure, with the time as an argument. Notices follow from the alerts alone, so that a restarted
service, or another copy of it, goes on where the last one stopped.
"""
