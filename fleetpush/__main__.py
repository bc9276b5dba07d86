"""``python -m fleetpush``."""

from fleetpush.cli.main import main

main()
