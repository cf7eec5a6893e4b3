"""Broken input for every loader and console script, and a watch over what these do with it."""
