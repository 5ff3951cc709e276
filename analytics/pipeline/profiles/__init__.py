"""Read what load profiles need from the store, and write them to it.

In: consumption by interval, the site, its rules and calendar. Out: load profiles, and points of the
measurements `profile`, `night` and `week_profile`.
"""
