"""Reaching a host: connections and the bootstrap of the agent."""
