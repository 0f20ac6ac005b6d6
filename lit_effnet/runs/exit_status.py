"""Exit statuses of the commands, each defined once."""

FAILURE = 1  # the command ran and did not reach its goal
BAD_INPUT = 2  # a flag, a configuration or a file cannot be used
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: another process has the work
INTERRUPTED = 130  # 128 + SIGINT, as shells report Ctrl-C
