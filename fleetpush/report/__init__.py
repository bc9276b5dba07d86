"""How a run is shown: live, plain, JSON; a state apart from its printers, and the recap."""
