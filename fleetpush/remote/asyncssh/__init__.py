"""Connections by asyncssh: a thousand of them in one event loop."""
