"""lightning-imdb: sentiment of film reviews with a fine-tuned transformer in PyTorch Lightning."""
