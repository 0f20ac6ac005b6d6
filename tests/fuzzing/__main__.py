"""Damage files that ship and count what each command does with them; a failure is printed whole.

python -m tests.fuzzing --inputs 10000
"""

import argparse
import faulthandler
import sys
import time
from collections import Counter

from lit_effnet.cli.output import plain_warnings, quiet_libraries
from tests.fuzzing.commands import REFUSED, SECONDS, TAKEN, cases, outcome


def main() -> None:
    """Run: exit status 1 where a file was neither taken nor refused in one line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="How many files.")
    parser.add_argument("--begin", type=int, default=0, help="Number of the first, and its seed.")
    parser.add_argument("--command", default="", help="Only commands of this name.")
    flags = parser.parse_args()
    plain_warnings()
    quiet_libraries()
    known = [case for case in cases(thorough=True) if flags.command in case.command]
    found: dict[str, Counter[str]] = {case.command: Counter() for case in known}
    began = time.monotonic()
    for number in range(flags.begin, flags.begin + flags.inputs):
        case = known[number % len(known)]
        faulthandler.dump_traceback_later(10 * SECONDS, exit=True)  # C code sees no alarm
        if number > flags.begin and number % 500 == 0:
            sys.stderr.write(f"{number - flags.begin:,} of {flags.inputs:,}\n")
        how, mutant, printed = outcome(case, f"{case.command}/{case.name}/{number}")
        found[case.command][how] += 1
        if how not in (TAKEN, REFUSED):
            sys.stdout.write(f"{number} {case.command} {case.name}: {how}, by {mutant.how}\n")
            sys.stdout.write(f"{printed[-1500:]}\n")
            sys.stdout.flush()
    faulthandler.cancel_dump_traceback_later()
    failures = 0
    for command, outcomes in found.items():
        told = ", ".join(f"{n:,} {how}" for how, n in sorted(outcomes.items()))
        sys.stdout.write(f"{command}: {outcomes.total():,} inputs: {told}\n")
        failures += outcomes.total() - outcomes[TAKEN] - outcomes[REFUSED]
    sys.stdout.write(f"{failures} failures, {time.monotonic() - began:.0f} s\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
