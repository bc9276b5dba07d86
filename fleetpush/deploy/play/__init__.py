"""Playbooks at work: which task is done on which host when, what stops a roll-out, and how it ended."""
