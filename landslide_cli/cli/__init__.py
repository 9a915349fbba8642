"""The command line: parse, configure, run a workflow, show."""
