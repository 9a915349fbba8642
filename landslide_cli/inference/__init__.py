"""Probabilities from an event: numpy and ONNX Runtime, never torch."""
