"""Trains the embedded language model."""
