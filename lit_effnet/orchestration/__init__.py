"""A sweep of this suite: plan, validate, estimate, run, watch."""
