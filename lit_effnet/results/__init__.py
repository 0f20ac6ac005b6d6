"""Recorded numbers to tables; knows neither torch nor lightning."""
