"""Decide if the system clock can be trusted, and watch it for jumps.

A machine without a battery-backed clock starts with a wrong time. Readings taken then are stamped
with the machine's running time, and get their UTC times once the clock is plausible.

In: UTC and running time, as read from the machine. Out: a verdict on the clock, stamps in running
time, and the UTC time at which the machine started, by which such stamps are converted to UTC.
Laws: a UTC stamp is never changed here. Every jump of the clock is logged.
"""
