"""Serve simulated meters to real masters, and an HTTP interface that switches faults.

In: a simulated site and a fault script. Out: bytes on TCP ports and pseudo-terminals, and a record
of every exchange. Laws: the simulated bus decides about replies; the modules for TCP ports and
serial ports only send them. No module here names a protocol (`simulators.protocols` lists them).
"""
