"""Read the inputs of load profiles from the store, and write the profiles to it.

In: consumption by interval, the site, its rules and calendar. Out: load profiles, and points of the
measurements `profile`, `night` and `week_profile`.
"""
