"""Determine the meters that count in a scope on each day, and the flows their registers count.

In: a site. Out: for each day, the place of each meter in the tree of meters and areas; the days on
which it is installed; and the flows that its registers count.
Laws: pure. Meters and areas are added and removed over time, so every result is for a given day.
"""
