"""Instruction counts of a run, by valgrind's callgrind: who executed them, function by function.

They do not depend on who else is busy, and hardly on the machine: valgrind 3.19 shows every program the same
processor, a Haswell with AVX2 and without AVX-512, whatever is below, so that the run-time dispatch of logflume
and of glibc takes the same ways everywhere.
"""
import collections
import itertools
import os
import pathlib
import re
import subprocess

import paths

# Their work is not ours: what they execute changes with their versions, and of some with the clock. Everything
# else that the binary calls (libc, libstdc++, fmt, PCRE2 and what its JIT makes, checksums) counts as its own.
FOREIGN = re.compile(r'/lib(rdkafka|sqlite3|curl|ssl|crypto|zstd|z|bz2|snappy|lz4)[.+-]')
# They call the binary back: what is counted there must not be counted here again.
CALLERS = {'__libc_start_main', '__libc_start_main_impl', '__pthread_once_slow'}


# Long copies by vectors, as short ones: callgrind counts an instruction for each byte of a `rep movsb`, which the
# processor moves by the cache line.
ENVIRONMENT = {'GLIBC_TUNABLES': 'glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:glibc.cpu.x86_rep_stosb_threshold=0x7fffffff'}


class Profile:
    """Costs of one run, by event ('Ir' are instructions; with simulated caches 'D1mr', 'DLmw' and so on).

    costs:    {function: Counter} of the binary itself and of what it called in libraries that count as its own.
    files:    {function: the source file, or the library, that it is from}.
    callers:  {function: Counter}: who called it, by instructions.
    foreign:  {library: Counter}: what the binary called in FOREIGN libraries, all of it.
    """

    def __init__(self, events=()):
        self.events = events
        self.files = {}
        self.costs, self.callers, self.foreign = (collections.defaultdict(collections.Counter) for _ in range(3))

    def total(self, event='Ir'):
        return sum(costs[event] for costs in self.costs.values())

    def minus(self, other):
        """What this run did more than `other`: the start is in both."""
        result = Profile(self.events)
        result.files = {**other.files, **self.files}
        for mine, its, out in ((self.costs, other.costs, result.costs), (self.callers, other.callers, result.callers),
                               (self.foreign, other.foreign, result.foreign)):
            for key in mine.keys() | its.keys():
                out[key].update(mine.get(key, {}))
                out[key].subtract(its.get(key, {}))
        return result


KINDS = {'ob': 'object', 'cob': 'object', 'fl': 'file', 'fi': 'file', 'fe': 'file', 'cfi': 'file', 'cfl': 'file',
         'fn': 'function', 'cfn': 'function'}


def parse(lines, binary):
    """The profile in the lines of a callgrind.out file. `binary` is the path of the program itself."""
    names = collections.defaultdict(dict)  # each kind of name is written out once, and a number from then on
    at, called_object, profile = {}, None, Profile()

    def name(kind, text):
        number, text = re.match(r'\((\d+)\)(?: (.*))?$', text).groups()
        if text is not None:
            # Symbols of libc have a version in some calls, memcpy@@GLIBC_2.14; recursion is numbered, walk'2.
            names[kind][number] = re.sub(r"(@@?[\w.]+|'\d+)$", '', text) if kind == 'function' else text
        return names[kind][number]

    for line in map(str.strip, lines):
        key, has_value, value = line.partition('=')
        if has_value and key in KINDS:
            at[key] = name(KINDS[key], value)
            if key == 'fn' and at['ob'] == binary:
                profile.files[at['fn']] = at['fl']
        elif key == 'calls':
            called_object = at.pop('cob', at['ob'])
        elif line.startswith('events: '):
            profile.events = line.split()[1:]
        elif re.match(r'[+*\-\d]', line):
            costs = dict(zip(profile.events, map(int, line.split()[1:])))
            if at['ob'] != binary:
                pass  # what others do counts where the binary calls them
            elif called_object is None:
                profile.costs[at['fn']].update(costs)
            elif called_object == binary:
                profile.callers[at['cfn']][at['fn']] += costs.get('Ir', 0)
            elif library := FOREIGN.search(called_object):
                profile.foreign[library[1]].update(costs)
            elif at['cfn'] not in CALLERS:
                profile.costs[at['cfn']].update(costs)
                profile.callers[at['cfn']][at['fn']] += costs.get('Ir', 0)
                profile.files[at['cfn']] = called_object
            called_object = None
    if not profile.events:
        raise ValueError('not a callgrind file')
    return profile


CORES = itertools.cycle(sorted(os.sched_getaffinity(0)))


class Run:
    """`command`, a program with its arguments, under callgrind, which writes below `directory`. It has one core, so
    that the counts do not depend on how many there are: the agent starts threads for those that it may use."""

    def __init__(self, directory, command, cache=False):
        self.out, self.binary = pathlib.Path(directory) / 'callgrind.out', str(command[0])
        self.process = subprocess.Popen(
            ['taskset', '-c', str(next(CORES)), 'valgrind', '--tool=callgrind', f'--callgrind-out-file={self.out}',
             *(['--cache-sim=yes'] if cache else []), *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT})

    def terminate(self):
        self.process.terminate()

    def finish(self):
        """Waits for its end and returns the profile."""
        try:
            _, errors = self.process.communicate(timeout=300)
        finally:
            self.process.kill()
        if self.process.returncode != 0:
            raise RuntimeError(f'{self.binary} exited with {self.process.returncode}: {errors[-2000:]}')
        with open(self.out, errors='replace') as lines:
            return parse(lines, self.binary)


def measure(path, binary, cache=False):
    """What lines of a path (paths.py) cost: a profile, and the number of lines to divide it by. The start of the
    process is in neither: it is the difference between two amounts of lines."""
    start = lambda directory, arguments: Run(directory, [binary, *arguments], cache)
    few, many = (paths.run(path, count, start) for count in (path.few, path.many))
    return many.minus(few), path.many - path.few
