"""fleetpush: one file on a thousand machines in about the time one copy takes."""

__version__ = "0.1.0"
