"""lightning-cifar10: image classification with a convolutional network in PyTorch Lightning."""
