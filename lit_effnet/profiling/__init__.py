"""Timing, latency, memory, energy and utilisation of any callable or network."""
