"""`python -m xla_projects.stocks ...`: the console script."""

import sys

from xla_projects.stocks.cli import main

sys.exit(main(None))
