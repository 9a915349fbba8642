"""Simulates Sentinel-2 events with known landslides."""
