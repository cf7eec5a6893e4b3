"""Architectures in plain PyTorch."""
