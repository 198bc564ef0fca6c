"""One module a group of commands; each command returns an exit code."""
