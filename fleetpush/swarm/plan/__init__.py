"""Who talks to whom: one page for each topology."""
