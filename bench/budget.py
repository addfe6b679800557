"""Takes the hot paths apart, stage by stage and function by function, for docs/performance.md.

Instructions and cache misses are callgrind's (callgrind.py), nanoseconds those of the real processor: `perf record`
by the CPU clock, over the same lines repeated. System calls are stages of their own.
"""
import collections
import pathlib
import re
import subprocess

import callgrind
import measure
import paths

SAMPLES_A_SECOND = 10_000
# Enough for some hundreds of samples, and for the start to be little of it.
PERF_BYTES = 1 << 29
TOP_FUNCTIONS = 10


def bare(function):
    """A function's name as both tools print it: no result, parameters, template arguments or instruction set."""
    function = re.sub(r' \[clone .*|\$plt$', '', function).replace('(anonymous namespace)::', '')
    shorter = None
    while shorter != function:
        shorter, function = function, re.sub(r'<[^<>]*>', '', function)
    function = re.sub(r'(?<!operator)\(.*', '', function)
    function = function if 'operator ' in function else function.split(' ')[-1]
    return re.sub(r'_avx\w*', '', function).replace('memmove', 'memcpy')


def stage(profile, function):
    """The folder of src/ that a function belongs to; of a template of the standard library, or of a function in
    another library, the folder of whoever calls it most."""
    for _ in range(6):
        if found := re.findall(r'(?<=/)src/(\w+)/', profile.files.get(function, '')):
            return found[-1]
        if not profile.callers.get(function):
            break
        function = profile.callers[function].most_common(1)[0][0]
    return 'other'


Sample = collections.namedtuple('Sample', 'thread frames')  # frames, the innermost first, are (function, address, object)


class Perf:
    """The agent under perf record."""

    def __init__(self, directory, binary, arguments):
        self.out = pathlib.Path(directory) / 'perf.data'
        self.process = subprocess.Popen([*self.command(self.out), binary, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    @staticmethod
    def command(out):
        return ['perf', 'record', '-q', '-F', str(SAMPLES_A_SECOND), '-e', 'cpu-clock', '-g', '-o', str(out), '--']

    def finish(self):
        """Its samples, when it has ended."""
        _, errors = self.process.communicate(timeout=300)
        if self.process.returncode != 0:
            raise RuntimeError(errors[-2000:])
        return samples(self.out)


def samples(path):
    """The samples in a file of perf record."""
    text = subprocess.run(['perf', 'script', '-i', str(path), '-F', 'comm,ip,sym,dso'], capture_output=True, text=True).stdout
    result = []
    for entry in text.split('\n\n'):
        thread, *lines = entry.strip('\n').splitlines() or ['']
        frames = [(found[2], found[1], found[3]) for line in lines
                  if (found := re.match(r'\s*([0-9a-f]+) (.*) \((.*)\)$', line))]
        if frames:
            result.append(Sample(thread.strip(), frames))
    return result


def stages_by_source(seen, binary):
    """{frame: stage} of what samples show, by the debug information of the binary: the folder below src/, or the
    library whose work is not ours."""
    headers = subprocess.run(['readelf', '-lW', binary], capture_output=True, text=True).stdout
    offset, address = re.search(r'LOAD +(0x\w+) (0x\w+) .* R E ', headers).groups()
    shift = int(address, 16) - int(offset, 16)  # perf counts from the beginning of the file
    result, ours = {}, {}
    for frame in {frame for sample in seen for frame in sample.frames}:
        _, address, file = frame
        if file == binary:
            ours[int(address, 16) + shift] = frame
        elif library := callgrind.FOREIGN.search(file):
            result[frame] = f'lib{library[1]}'
    places = subprocess.run(['addr2line', '-e', binary, '-a', '-i', *map(hex, ours)], capture_output=True, text=True).stdout if ours else ''
    frame = None
    for line in places.splitlines():
        if line.startswith('0x'):
            frame = ours[int(line, 16)]
        elif folders := re.findall(r'(?<=/)src/(\w+)/', line):
            result[frame] = folders[-1]  # the outermost of inlined calls comes last
    return result


def where(chain, known):
    """The stage that one sample belongs to: a system call, or that of the innermost function that is known. `known`
    has the stage of each function in the chain, or None."""
    user = next(filter(None, known), 'other')
    for inner, outer in zip(chain, chain[1:]):
        if outer in ('do_syscall_64', 'x64_sys_call'):
            return f'kernel: {re.sub(r"^_*(x64_|se_|do_)?(k?sys_)?", "", inner)}'
        if inner == 'exc_page_fault' or outer == 'asm_exc_page_fault':
            return f'kernel: page faults in {user}'
    if any(symbol.startswith(('asm_', 'entry_SYSCALL', 'ret_from_fork')) for symbol in chain):
        return 'kernel: interrupts and switches'
    return user


def stage_of(sample, stages):
    """By the frames of `stages`, or by their functions' bare names."""
    chain = [frame[0] for frame in sample.frames]
    return where(chain, [stages.get(frame) or stages.get(bare(frame[0])) for frame in sample.frames])


def nanoseconds(path, binary, profile):
    """CPU nanoseconds a line by stage, or nothing: a live tail waits more than it works."""
    if path.live:
        return {}
    stages = {bare(function): stage(profile, function) for function in profile.costs}
    start = lambda directory, arguments: Perf(directory, binary, arguments)
    size = sum(map(len, path.lines(path.many)))
    repeated = max(1, min(PERF_BYTES, int(PERF_BYTES * 100 * path.many / max(1, profile.total()))) // size)
    few, many = (collections.Counter(stage_of(sample, stages) for sample in paths.run(path, path.many, start, repeated=times))
                 for times in (1, 1 + repeated))
    many.subtract(few)
    lines = repeated * path.many
    return {name: max(0, count) * 1e9 / SAMPLES_A_SECOND / lines for name, count in many.items()}


def number(value):
    return '' if value is None else f'{value:.3g}' if value < 100 else f'{value:.0f}'


def shorter(profile, function):
    if re.fullmatch('0x[0-9a-f]+', function):  # a library without symbols
        return profile.files[function].rsplit('/', 1)[-1].split('.so')[0]
    return bare(function).replace('logflume::', '').replace('__memcpy', 'memcpy')


def section(name, binary):
    """The lines of one path."""
    path = paths.PATHS[name]
    profile, lines = callgrind.measure(path, binary, cache=True)
    times = nanoseconds(path, binary, profile)
    first = lambda costs: costs['D1mr'] + costs['D1mw']
    last = lambda costs: costs['DLmr'] + costs['DLmw']
    by_stage = collections.defaultdict(collections.Counter)
    for function, costs in profile.costs.items():
        by_stage[stage(profile, function)].update(costs)
    for library, costs in profile.foreign.items():
        by_stage[f'lib{library}'].update(costs)
    rows = []
    for what in by_stage.keys() | times.keys():
        costs = by_stage.get(what)
        row = (what, times.get(what) if times else None, *((costs[e] if e == 'Ir' else e(costs)) / lines if costs else None
                                                           for e in ('Ir', first, last)))
        rows.append(row)
    total = ('all', sum(times.values()) if times else None, profile.total() / lines + sum(c['Ir'] for c in profile.foreign.values()) / lines,
             *(sum(f(c) for c in [*profile.costs.values(), *profile.foreign.values()]) / lines for f in (first, last)))
    # What is less than a hundredth of everything, in time and in instructions, is one row.
    small = [row for row in rows if all((value or 0) < 0.01 * (whole or 0) for value, whole in zip(row[1:3], total[1:3]))]
    rows = sorted(set(rows) - set(small), key=lambda row: (-(row[1] or 0), -(row[2] or 0)))
    rows.append(('the rest', *(sum(row[i] or 0 for row in small) for i in range(1, 5))))
    result = [f'### {path.description}', '',
              *measure.table(('stage', 'ns a line', 'instructions a line', 'L1 misses a line', 'last-level misses a line'),
                             [(row[0], *map(number, row[1:])) for row in [*rows, total]]), '']
    top = sorted(profile.costs.items(), key=lambda item: -item[1]['Ir'])[:TOP_FUNCTIONS]
    result += measure.table(('function', 'stage', 'instructions a line', 'of the counted', 'L1 misses a line'),
                            [(f'`{shorter(profile, function)}`', stage(profile, function), number(costs['Ir'] / lines),
                              f'{costs["Ir"] / profile.total():.1%}', number(first(costs) / lines))
                             for function, costs in top if costs['Ir'] / lines >= 0.005])
    return [*result, '']


def write(names, binary):
    lines = [f'Machine: {measure.machine()}.', '']
    for name in names:
        part = section(name, binary)
        print('\n'.join(part), flush=True)
        lines += part
    if len(names) == len(paths.PATHS):
        measure.write_between_marks('bench/check', lines[:-1], page='performance.md')
