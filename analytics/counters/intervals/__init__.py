"""Distribute the increase of a believed register over intervals. Pure, on numpy arrays.

In: a believed register as a line of readings and spans (`register_line`), and the edges of the
intervals. Out: the register at the edges (`edge_search`), the estimated part there (`edge_spread`),
and the consumption of intervals that are only partly known (`interval_pieces`). In a gap, further
points are added to the line, by the usual consumption of each hour (`profiled_gaps`). The other
modules treat them like readings. Laws: those of `consumption`, which joins these modules.
"""
