"""What is left of a network in INT8, and how fast it is then: post-training, calibrated."""
