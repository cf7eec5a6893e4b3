"""Fits the embedded sentiment classifier."""
