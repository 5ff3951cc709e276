"""Export stored data to CSV or Parquet (`jieneng export`).

In: a site's store, a time span, meters. Out: one file. A file of readings or intervals can be
read by `jieneng import readings`. Laws: the memory needed does not grow with the time span. A
number is written so that reading it gives the same number. A file appears only when complete.
"""
