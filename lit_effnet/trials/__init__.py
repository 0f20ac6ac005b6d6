"""W&B's sweep files without W&B: schema, points, commands, and the launcher of their trials."""
