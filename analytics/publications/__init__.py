"""Keep the figures of a period as a person published them, and compare them with later ones.

In: the figures of a period that is over, with the site and the rules that they were computed with.
Out: one JSON file a period in the site's folder, and what differs when it is computed again.
Laws: a publication is never changed. A restatement is a new one, with a reason, beside the old one.
Equal inputs give equal bytes.
"""
