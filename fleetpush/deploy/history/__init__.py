"""What runs there were: recorded as they go, and read again by ``fleetpush runs``."""
