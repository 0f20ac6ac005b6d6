"""The network, what it costs, and the baselines it is compared with; knows no data."""
