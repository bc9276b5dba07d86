"""How playbooks are shown: a line an outcome as the tasks go, and Ansible's recap in few words."""
