"""Hosts with an agent that stays: one connection and one bootstrap for several exchanges and tasks."""
