"""A Sentinel-2 event with a known truth, made up."""
