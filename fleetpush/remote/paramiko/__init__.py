"""Connections by paramiko: a second implementation, in threads."""
