"""How a run is shown: live, plain, JSON."""
