"""Find the areas of a site that joined or left: built, closed, let out or taken back.

In: the areas of a site, and periods. Out: the areas that joined or left within or between the
periods, with the day of the change.
Law: pure.
"""
