"""Projects in PyTorch/XLA."""
