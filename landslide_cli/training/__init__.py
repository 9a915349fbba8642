"""Networks, their training and their export: the only place that knows torch."""
