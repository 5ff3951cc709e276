"""Between the store and the pure modules: registers in; consumption, figures and indicators out.

Laws: whatever the windows, the same readings give the same digits; memory is bounded by a window
of one meter and by the days of all meters; figures come from stored consumption alone.
"""
