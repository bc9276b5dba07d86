"""What runs on a host for the length of one run: control channel, store, main."""
