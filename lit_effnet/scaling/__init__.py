"""Section 3 of the EfficientNet paper in pure Python: scalings, their cost, budgets and arms."""
