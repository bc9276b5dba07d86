#!/bin/sh
[ "$1" = --list ] || exit 9
cat <<'END'
{"web": {"hosts": ["w1", "w2"], "vars": {"x": "{{ y }}", "n": 1}, "children": ["late"]},
 "late": {"hosts": ["l1"]}, "plain": ["p1", "w1"], "empty": {"hosts": []},
 "_meta": {"hostvars": {"w1": {"y": [1, {"a": null}]}, "nobody": {"z": 1}}}}
END
