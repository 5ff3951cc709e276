"""Read registers from the store, and write consumption and indicators to it.

In: stored readings and imports of a site's meters. Out: stored consumption, figures, indicators.
Laws: consumption is computed in windows of time. The same readings give the same digits for any
division into windows. The memory needed is limited: readings of one meter in one window, and daily
sums of all meters. Figures are computed only from stored consumption.
"""
