"""From probabilities to what a mapper opens."""
