"""`accelerate launch -m accelerate_projects.cifar10 ...`: the console script in several processes."""

import sys

from accelerate_projects.cifar10.cli import main

sys.exit(main(None))
