"""Notice that rows of the site's files changed after stored results were computed from them.

In: the rows, and the digests in the store. Out: what is to be computed again.
Law: the digest of a result is stored after the result. Interrupted work is therefore repeated.
"""
