"""Landslide maps from Sentinel-2 images before and after an event."""

__version__ = "0.1.0"
