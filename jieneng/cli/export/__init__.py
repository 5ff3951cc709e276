"""Export what is stored to CSV or Parquet (`jieneng export`).

In: a site's store, a time span, meters. Out: one file, in the form that `jieneng import readings`
reads for readings and intervals. Laws: memory does not grow with the time span; a number is written
so that it reads back as the same number; a file appears only when it is complete.
"""
