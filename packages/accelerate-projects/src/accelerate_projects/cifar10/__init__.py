"""accelerate-cifar10: a pretrained ResNet, fine-tuned in mixed precision with Hugging Face Accelerate."""
