"""Keep published figures of a period, and compare them with figures that are computed later.

In: the figures of a period that is over, and the site and rules from which they were computed.
Out: one JSON file for each period in the site's folder, and the differences when the figures are
computed again.
Laws: a publication is never changed. A restatement is a new publication with a reason; the old one
    is kept. Equal inputs give equal bytes.
"""
