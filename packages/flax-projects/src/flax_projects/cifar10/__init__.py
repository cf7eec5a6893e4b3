"""flax-cifar10: image classification with a convolutional network in Flax NNX."""
