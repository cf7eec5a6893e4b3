"""Trains the embedded picture model."""
