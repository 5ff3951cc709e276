"""Serve simulated meters to real masters, and the simulation's control over HTTP.

In: a simulated site and a fault script. Out: bytes on TCP ports and pseudo-terminals, and a record
of every exchange. Laws: the bus decides, the line only carries out; no protocol is known by name
here (`simulators.protocols` lists them).
"""
