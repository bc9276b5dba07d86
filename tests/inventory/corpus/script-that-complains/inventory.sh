#!/bin/sh
echo 'a warning' >&2
printf '{"all": {"hosts": ["a"], "children": ["g"]}, "g": {"vars": {"ansible_group_priority": 5, "x": 1}, "hosts": ["b"]}, "h": {"hosts": ["b"], "vars": {"x": 2}}, "_meta": {"hostvars": {"a": {"x": 1.5e2, "u": "\\u00e9"}}}}'
