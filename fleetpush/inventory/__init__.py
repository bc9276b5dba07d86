"""Who: hosts, groups, variables, patterns."""
