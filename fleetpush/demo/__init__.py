"""An embedded SSH fleet on this machine, shared with the tests."""
