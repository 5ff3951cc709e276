"""Draw the charts of the page as SVG: consumption by month, paths to the targets, bars.

In: figures. Out: SVG as HTML text. Law: a missing figure is not drawn.
"""
