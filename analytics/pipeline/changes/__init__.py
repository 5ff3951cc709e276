"""Store changes of years for the boards: carbon by cause, and further comparisons of figures.

In: figures and splits of years. Out: points of `carbon_change`, `carbon_step`, `comparison` and
`left_out_area`.
Law: the values are those that the commands print. Only shares and levels of bars are computed here.
"""
