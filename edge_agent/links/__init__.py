"""The links to meters: a talk goes in, its exchanges are driven over a connection or serial port.

Laws: at most one connection to a gateway, with one request under way on it. A late reply is never
taken for another one: each exchange has the framing of its meter, which decides how late replies
are recognised.
"""
