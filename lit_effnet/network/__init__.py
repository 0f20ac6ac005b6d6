"""Networks: EfficientNet at any scaling, baselines, weights and complexity; no data sets."""
