"""Poll the meters of a site: decide which one is due, request its registers, return the result.

In: buses with their meters and models, and a link for each bus. Out: one `PollResult` for each
poll, from which a sample with its quality code is made. Laws: one request at a time on a bus. A
poll that could not be made at its time is skipped, not made later. Two readings of a meter never
have the same time stamp.
"""
