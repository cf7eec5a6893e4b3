"""Projects in PyTorch Lightning."""
