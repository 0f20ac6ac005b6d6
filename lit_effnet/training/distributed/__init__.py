"""Training in several processes: strategy, heartbeats, watchdog, batch norm."""
