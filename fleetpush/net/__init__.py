"""The socket driver: event loop, links, TLS, throttle."""
