"""Tables of results as column specs."""
