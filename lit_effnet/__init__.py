"""Experiments on model scaling with EfficientNet."""
