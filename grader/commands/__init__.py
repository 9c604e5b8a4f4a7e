"""Commands of the command line that have a file of their own; `grader.cli` adds them to the group."""
