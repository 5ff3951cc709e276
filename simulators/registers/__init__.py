"""Simulated devices: a load, seen through the registers of a meter model.

In: a load, the meter's devices and transformer ratios over time, a Modbus model, states of faults.
Out: register words at any moment (live), and arrays of counter readings (history).
Laws: registers are functions of time and hold whole steps, rounded down; history and live readings
agree to the last digit.
"""
