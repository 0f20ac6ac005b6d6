"""The design document's tables: its figure, the published one and ours."""
