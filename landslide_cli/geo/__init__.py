"""The shared ground: bands and codes, areas, grids, rasters and vector files."""
