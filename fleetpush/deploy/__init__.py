"""The run: from sources and hosts to a verified fleet."""
