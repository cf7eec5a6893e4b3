"""Loaders: files in, arrays and data frames out."""
