"""Section 3 of the EfficientNet paper in pure Python: scaling, cost, budgets and arms."""
