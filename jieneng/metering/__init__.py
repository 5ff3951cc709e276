"""Meters, sites and readings: structs and checks that all services share.

In: values from files, meters and messages. Out: checked structs, MQTT messages, and the names of
series in the store. Laws: pure, without clock, socket, event loop, files or numpy. An unknown value
is missing or NaN, never 0.
"""
