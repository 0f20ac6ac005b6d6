"""A network under a condition: what it gives, and what it costs."""
