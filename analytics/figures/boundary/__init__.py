"""Members of a scope on a day: structure of the site, life of meters and areas, flows of energy.

In: a site. Out: the place of each meter by day, the days of its life, and the flows that its
registers count.
Laws: pure. Meters and areas come and go, so nothing here is true without a day.
"""
