"""Networks: EfficientNet at any scaling, baselines, weights and complexity; knows no data."""
