"""Store what boards show about changes: carbon by cause, and further comparisons of figures.

In: figures and splits of years. Out: points of `carbon_change`, `carbon_step`, `comparison` and
`left_out_area`.
Law: the values are those that the commands print; nothing is computed here but shares and levels.
"""
