"""The virtual-time driver of the same cores."""
