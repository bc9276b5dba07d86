#!/bin/sh
echo '{"web": {"hosts": ["w1", "w2"], "vars": {"x": "script", "y": "script"}}, "_meta": {"hostvars": {"w1": {"h": "script"}}}}'
