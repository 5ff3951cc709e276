"""Encoding of the simulator's answers: numbers as register words, words as Modbus frames.

In: numbers with the layout of their registers; bytes received from a client.
Out: register words, requests and response frames, and the numbers decoded from words.
Laws: pure, bytes in and bytes out; no code is shared with the agent, because the simulator checks
the agent's decoder independently.
"""
