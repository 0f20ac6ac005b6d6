"""W&B's sweep files without W&B: what they may hold, their points, their commands."""
