#!/usr/bin/env python3
"""Tortures the agent and counts what it lost (docs/torture.md).

usage: tools/torture.py [--scenario NAME[,NAME]] [--minutes M] [--seed N] [--jobs N] [--short] [--keep] [--write]

Runs every scenario, each for its share of the minutes, and prints a table: faults, lines written, lost and
duplicated, seconds to recover. Exits with 1 when a line was lost or damaged anywhere, came twice where
exactly once is promised, or the agent ended by itself.

LOGFLUME=/path/to/binary tools/torture.py tortures another build.
"""
import argparse
import concurrent.futures
import os
import pathlib
import pickle
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / 'tests'))

import harness  # noqa: E402
from torture import broker, faults, memory, scenarios  # noqa: E402, F401
from torture.run import SCENARIOS, WEIGHTS, Broken, Run, describe  # noqa: E402

RESULT = TOP / 'docs' / 'torture-last.md'
COLUMNS = ('scenario', 'output', 'promise', 'faults', 'lines', 'lost', 'twice', 'worst s', 'median s')


class Outcome:
    def __init__(self, name, seed, seconds):
        self.name, self.seed, self.seconds = name, seed, seconds
        self.rows, self.broken, self.skipped, self.directory = [], '', '', ''

    @property
    def kept(self):
        return not self.broken and all(row.kept for row in self.rows)


def torture(name, seed, seconds, short, keep):
    """One scenario."""
    outcome = Outcome(name, seed, seconds)
    outcome.directory = tempfile.mkdtemp(prefix=f'torture-{name}-')
    os.chmod(outcome.directory, 0o755)
    run = Run(name, seed, seconds, outcome.directory, short)
    begin = time.monotonic()
    try:
        outcome.rows = SCENARIOS[name](run)
    except faults.NotHere as error:
        outcome.skipped = str(error)
    except (Broken, AssertionError) as error:
        outcome.broken = str(error)
    except Exception:
        outcome.broken = traceback.format_exc()
    outcome.seconds = time.monotonic() - begin
    run.close(keep=keep or not outcome.kept)
    return outcome


def torture_apart(name, seed, seconds, short, keep):
    """The same in a process of its own, so that scenarios at a time have nothing in common."""
    with tempfile.NamedTemporaryFile(prefix='torture-result-') as result:
        arguments = [name, str(seed), str(seconds), str(int(short)), str(int(keep)), result.name]
        done = subprocess.run([sys.executable, os.path.abspath(__file__), '--one', *arguments], stdin=subprocess.DEVNULL,
                              env={**os.environ, 'LOGFLUME': harness.BINARY})
        if done.returncode == 0:
            return pickle.load(result)
    outcome = Outcome(name, seed, seconds)
    outcome.broken = f'the scenario itself ended with {done.returncode}'
    return outcome


def torture_here(name, seed, seconds, short, keep, result):
    outcome = torture(name, int(seed), float(seconds), short == '1', keep == '1')
    with open(result, 'wb') as file:
        pickle.dump(outcome, file)
    os._exit(0)  # whatever threads of servers are left


def cells(row):
    return (row.scenario, row.output, row.promise, row.faults, row.written, row.lost + row.damaged, row.duplicated,
            f'{row.worst:.2f}', f'{row.median:.2f}')


def print_table(outcomes):
    table = [COLUMNS, *(tuple(map(str, cells(row))) for outcome in outcomes for row in outcome.rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(COLUMNS))]
    for row in table:
        print('  '.join(word.ljust(width) if n < 3 else word.rjust(width) for n, (word, width) in enumerate(zip(row, widths))))


def machine():
    with open('/proc/cpuinfo') as info:
        model = next((line.split(':')[1].strip() for line in info if line.startswith('model name')), platform.machine())
    return f'{model}, {os.cpu_count()} processors, Linux {platform.release()}'


def commit():
    done = subprocess.run(['git', '-C', TOP, 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True)
    return done.stdout.strip() or 'unknown'


def markdown(outcomes, options, seconds):
    lines = ['# The last long run of the torture suite', '',
             '<!-- Written by `tools/torture.py --write`; do not edit. What the scenarios do: docs/torture.md. -->', '',
             f'{time.strftime("%Y-%m-%d", time.gmtime())}, commit {commit()}, seed {options.seed}, {seconds / 60:.0f} minutes, '
             f'{options.jobs} scenarios at a time. {machine()}.', '',
             '| ' + ' | '.join(COLUMNS) + ' |', '|' + '---|' * 3 + '--:|' * (len(COLUMNS) - 3)]
    for outcome in outcomes:
        lines += ['| ' + ' | '.join(map(str, cells(row))) + ' |' for row in outcome.rows]
    lines += ['', 'Worst and median: seconds from the end of a fault until every sink had caught up. The faults, one by one:', '']
    for outcome in outcomes:
        if outcome.rows:
            lines.append(f'- `{outcome.name}`, {outcome.seconds:.0f} s: {outcome.rows[0].note}.')
    lines += [f'- `{outcome.name}` could not run here: {outcome.skipped}.' for outcome in outcomes if outcome.skipped]
    lines += [f'- `{outcome.name}` **failed**: {outcome.broken.splitlines()[0]}' for outcome in outcomes if outcome.broken]
    return '\n'.join(lines) + '\n'


def main():
    if sys.argv[1:2] == ['--one']:
        torture_here(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--scenario', default=os.environ.get('SCENARIO', ''), help='these only')
    parser.add_argument('--minutes', type=float, default=float(os.environ.get('MINUTES') or 60), help='for all of them together (60)')
    parser.add_argument('--seed', type=int, default=int(os.environ.get('SEED') or 0), help='do what another run did')
    parser.add_argument('--jobs', type=int, default=int(os.environ.get('JOBS') or 2), help='scenarios at a time (2)')
    parser.add_argument('--short', action='store_true', help='a few seconds for each scenario')
    parser.add_argument('--keep', action='store_true', help='keep the directories of runs that went well too')
    parser.add_argument('--write', action='store_true', help=f'put the result into {RESULT.relative_to(TOP)}')
    parser.add_argument('--list', action='store_true', help='say what the scenarios do')
    options = parser.parse_args()
    what = describe()
    if options.list:
        for name, text in what.items():
            print(f'{name:22} {text}')
        return 0
    names = [name for name in options.scenario.split(',') if name] or list(what)
    if unknown := set(names) - what.keys():
        parser.error(f'no scenario {", ".join(sorted(unknown))}; there are {", ".join(what)}')
    if not os.access(harness.BINARY, os.X_OK):
        parser.error(f'{harness.BINARY} is no program: build it, or name one with LOGFLUME')
    options.seed = options.seed or random.randrange(1, 1 << 31)
    unit = 5 if options.short else options.minutes * 60 * options.jobs / sum(WEIGHTS[name] for name in names)
    seconds = {name: unit * (1 if options.short else WEIGHTS[name]) for name in names}
    print(f'{harness.BINARY}, seed {options.seed}, {len(names)} scenarios, {unit:.0f} s each or more, {options.jobs} at a time', flush=True)

    binary = os.path.join(tempfile.mkdtemp(prefix='torture-binary-'), 'logflume')
    shutil.copy2(harness.BINARY, binary)  # a build meanwhile must not change what is tortured
    harness.BINARY = binary
    begin, outcomes = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        # The longest first.
        names.sort(key=lambda name: -WEIGHTS[name])
        under_way = {name: pool.submit(torture_apart, name, options.seed, seconds[name], options.short, options.keep) for name in names}
        for future in concurrent.futures.as_completed(under_way.values()):
            outcome = future.result()
            name = outcome.name
            outcomes.append(outcome)
            state = 'skipped: ' + outcome.skipped if outcome.skipped else 'ok' if outcome.kept else 'FAILED'
            print(f'{name:22} {outcome.seconds:5.0f} s  {state}', flush=True)
            if not outcome.kept:
                print(f'{outcome.broken}\n  again: tools/torture.py --scenario {name} --seed {options.seed}; its files: {outcome.directory}', flush=True)
    took = time.monotonic() - begin
    outcomes.sort(key=lambda outcome: list(what).index(outcome.name))
    shutil.rmtree(os.path.dirname(binary), ignore_errors=True)
    print()
    print_table(outcomes)
    if options.write:
        RESULT.write_text(markdown(outcomes, options, took))
    bad = [outcome.name for outcome in outcomes if not outcome.kept]
    ran = sum(1 for outcome in outcomes if outcome.rows)
    print(f'\n{ran} of {len(names)} scenarios in {took:.0f} s, seed {options.seed}: ' + (f'FAILED: {", ".join(bad)}' if bad else 'every promise kept'))
    return 1 if bad or not ran else 0


if __name__ == '__main__':
    sys.exit(main())
