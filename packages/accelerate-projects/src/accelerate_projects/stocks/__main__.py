"""`accelerate launch -m accelerate_projects.stocks ...`: the console script in several processes."""

import sys

from accelerate_projects.stocks.cli import main

sys.exit(main(None))
