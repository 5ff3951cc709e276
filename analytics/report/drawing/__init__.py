"""Draw the charts of the page as SVG: monthly consumption, glide paths to the targets, bars.

In: figures. Out: SVG elements as HTML text. Law: a missing figure is not drawn.
"""
