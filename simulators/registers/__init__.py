"""Compute the readings of simulated meters, from their loads and their devices over time.

In: a load, the meter's devices and transformer ratios over time, the models of the devices, and
faults. Out: the values that a device shows at a moment (live), and arrays of counter readings
(history).
Laws: registers are functions of time. History and live readings have the same digits. The modules
here use no protocol; `simulators.protocols` builds the devices.
"""
