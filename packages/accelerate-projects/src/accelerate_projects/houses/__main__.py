"""`accelerate launch -m accelerate_projects.houses ...`: the console script in several processes."""

import sys

from accelerate_projects.houses.cli import main

sys.exit(main(None))
