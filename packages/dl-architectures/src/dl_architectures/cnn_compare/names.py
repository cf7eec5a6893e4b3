"""Names of networks and data sets; imports nothing heavy, so that --help is instant."""

VARIANTS = {
    "lenet": "LeNet-5, LeCun et al. 1998",
    "alexnet": "AlexNet, Krizhevsky et al. 2012",
    "vgg11": "VGG, configuration A, Simonyan and Zisserman 2015",
    "vgg16": "VGG, configuration D, Simonyan and Zisserman 2015",
    "googlenet": "GoogLeNet, Szegedy et al. 2015",
    "resnet18": "ResNet-18, He et al. 2016",
    "resnet20": "ResNet-20, made for CIFAR-10, He et al. 2016",
    "xception": "Xception, Chollet 2017",
}
ARCHITECTURES = ("lenet", "alexnet", "vgg16", "googlenet", "resnet18", "xception")
"""One of each: what `all` means."""
DATASETS = ("mnist", "fashion_mnist", "cifar10")
