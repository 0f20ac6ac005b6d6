"""Statistics of the frame: intervals, tests, comparisons, aggregates."""
