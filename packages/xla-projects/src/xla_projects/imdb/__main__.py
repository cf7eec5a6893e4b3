"""`python -m xla_projects.imdb` is `xla-imdb`."""

import sys

from xla_projects.imdb.cli import main

sys.exit(main(None))
