"""The links to meters: send requests over a TCP connection or a serial port, and return replies.

In: a generator of requests and replies (from `protocols`). Out: its result.
Laws: at most one connection to a gateway, with one unanswered request at a time. A late reply is
never taken for the reply to a later request. Late replies are recognised by the framing of the
meter: a transaction number in Modbus TCP, silence on the line in Modbus RTU.
"""
