"""One experiment: its configuration, its parts, its run folder, its final evaluation."""
