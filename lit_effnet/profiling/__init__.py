"""Measure time, latency, memory, energy and utilisation of a callable or network."""
