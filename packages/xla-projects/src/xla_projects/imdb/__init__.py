"""Sentiment of film reviews with a fine-tuned transformer, in PyTorch/XLA."""
