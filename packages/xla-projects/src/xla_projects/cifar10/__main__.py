"""`python -m xla_projects.cifar10 ...`: the console script."""

import sys

from xla_projects.cifar10.cli import main

sys.exit(main(None))
