"""``python -m smartstore``: the command line."""

from smartstore.cli import main

main()
