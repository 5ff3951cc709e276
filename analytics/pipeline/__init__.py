"""Read registers from the store, and write consumption and indicators to it.

In: stored readings and imports of a site's meters. Out: stored consumption, figures, indicators.
Laws: the same readings give the same digits, however the work is divided into windows. Memory is
bounded by a window of one meter and by the days of all meters. Figures are computed from stored
consumption alone.
"""
