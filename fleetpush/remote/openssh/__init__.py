"""Connections by the operator's own ``ssh``, one master process a host."""
