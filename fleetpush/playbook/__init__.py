"""What: plays and tasks."""
