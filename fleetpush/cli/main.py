"""The ``fleetpush`` command."""


def main() -> None:
    """Runs the command line."""
