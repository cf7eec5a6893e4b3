"""A pretrained ResNet, fine-tuned with PyTorch/XLA."""
