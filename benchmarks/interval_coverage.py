"""Measure the coverage of 95 % intervals with few repeats: Student's, bootstrap, Wilson's.

python benchmarks/interval_coverage.py --arms 4000

Student's and the BCa bootstrap intervals are for the mean of n normal repeats, Wilson's for the
accuracy of a network on n and on 100 n images. Each interval is the one that the results use. With
4,000 draws a coverage is accurate to about 0.7 points (two standard errors).
"""

import argparse

import numpy as np

from lit_effnet.results.stats.estimates import Interval, estimate, wilson

TRUTH, SPREAD = 0.77, 0.003  # an accuracy and its standard deviation over random seeds


def main() -> None:
    """Print the coverage of each kind of interval."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", type=int, default=4_000)
    arms = parser.parse_args().arms
    rng = np.random.default_rng(0)
    print(f"coverage of 95 % intervals, % of {arms:,} draws")
    print("  n      t    BCa   Wilson, n images   Wilson, 100 n images")
    for n in (3, 5, 10):
        held = {"t": 0, "bootstrap": 0}
        for repeats in rng.normal(TRUTH, SPREAD, (arms, n)):
            of_arm = estimate(repeats)
            held["t"] += holds(of_arm.t)
            held["bootstrap"] += holds(of_arm.bootstrap)
        counted = [
            sum(holds(wilson(int(correct), images)) for correct in drawn)
            for images in (n, 100 * n)
            for drawn in [rng.binomial(images, TRUTH, arms)]
        ]
        t, bca, few, many = (100 * count / arms for count in (*held.values(), *counted))
        print(f"{n:3} {t:6.1f} {bca:6.1f} {few:18.1f} {many:22.1f}")


def holds(interval: Interval | None) -> bool:
    """Whether the interval contains the truth."""
    return interval is not None and interval.low <= TRUTH <= interval.high


if __name__ == "__main__":
    main()
