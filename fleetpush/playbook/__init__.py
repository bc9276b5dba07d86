"""What is to be done: playbooks as Ansible writes them, read and checked, not run."""
