"""Number the imports of a site, and undo them.

In: the values of a file, by series. Out: points in the store, and a record of each import with the
values that it replaced. Laws: what an import replaces is on the disk before it writes, so a batch
that was killed at any point can be undone or repeated; values that contradict stored ones are
written only on request; undoing a batch restores what stood there before, and nothing else.
"""
