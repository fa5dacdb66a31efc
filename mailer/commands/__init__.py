"""The command-line tools, with Postfix's names, flags, output and exit codes. Thin: the work is done in the packages."""
