#!/bin/sh
echo '{"box": {"ansible_host": "10.0.0.1"}, "nothing": {}, "list": ["a", "b"], "all": {"vars": {"v": 1}}, "_meta": {"hostvars": {}}}'
