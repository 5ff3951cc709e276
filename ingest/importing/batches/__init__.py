"""Number the imports of a site, and undo them.

A numbered import is called a batch. In: the values of a file, by series. Out: points in the store,
and a record of each batch with the values that it replaced. Laws: the old values are recorded on
disk before new ones are written, so a batch that was killed at any moment can be undone or
repeated. If a file contradicts stored values, it is written only if a person asks for it. Undoing a
batch restores the values from before the batch, and changes nothing else.
"""
