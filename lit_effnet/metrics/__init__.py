"""Metrics of a classification and of robustness, shared by training, evaluation and results."""
