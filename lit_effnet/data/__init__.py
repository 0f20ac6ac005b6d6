"""Named data sets to batches of `float32 [N, 3, H, W]`; knows no networks."""
