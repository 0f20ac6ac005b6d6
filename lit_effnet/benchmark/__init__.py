"""Benchmarks of networks on this device, timed interleaved."""
