"""Compute load profiles: peaks, nights, days off and the hours of the week.

In: consumption by hour and by quarter of an hour, with a mask of the measured intervals. Out: for
each meter or scope, the figures of `jieneng.metering.figures.profile_figures` with their coverage.
Laws: pure. Only measured intervals count, because a day whose consumption is evenly distributed
    says nothing about its nights.
"""
