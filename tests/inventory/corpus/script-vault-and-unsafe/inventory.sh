#!/bin/sh
cat <<'END'
{"all": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {
  "secret": {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n3434\n"}, "raw": {"__ansible_unsafe": "{{ x }}"}}}}}
END
