"""The links to meters: a talk goes in, its exchanges are driven over a connection or serial port.

At most one connection to a gateway, and one request under way on it. What comes late reaches
nobody: each exchange brings the framing of its meter, which says how late replies are recognised.
"""
