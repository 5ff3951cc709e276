"""Distribute the increase of a believed register over intervals. Pure, on numpy arrays.

In: a believed register as a line of readings and spans (`register_line`), and the edges of the
intervals. Out: the register at the edges (`edge_search`), the estimated part there (`edge_spread`),
and the consumption of intervals that are only partly known (`interval_pieces`). In gaps the line
gets further points by the usual consumption of the hours (`profiled_gaps`), so that the other
modules need not know of it. Laws: those of `consumption`, which joins these modules.
"""
