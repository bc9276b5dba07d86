"""Where the time of a run went that was longer than the bound: what is kept of it, and what follows."""
