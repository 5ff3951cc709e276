"""Poll the meters of a site: decide which one is due, ask it, and hand on each poll's result.

In: buses with their meters and models, and a link for each bus. Out: one `PollResult` for each
poll, from which a sample with its quality code is made. Laws: one request at a time on a bus; a
missed slot is never caught up with; no two readings of a meter get the same time stamp.
"""
