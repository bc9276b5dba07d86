"""``python -m fleetpush``."""

from fleetpush.cli.main import process

process()
