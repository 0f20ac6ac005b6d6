"""Experiments: configuration, parts, run folder, training and final evaluation."""
