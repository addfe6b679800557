"""The scenarios: each sets up sinks and load, does harm until its time is over, and counts.

What a fault is done with comes from the run's seed, so the same seed does the same things; when they meet the
agent is the machine's business.
"""
import functools
import os
import resource
import signal
import subprocess
import time

import harness
from mistreat import mistreat
from torture import faults, peers
from torture.run import EXACTLY, Broken, Row, scenario

@functools.cache
def buffer_types():
    """What this build can put between a source and a sink."""
    schema = subprocess.run([harness.BINARY, 'schema'], capture_output=True, text=True).stdout
    return [kind for kind in ('memory', 'disk', 'overflow') if f'"{kind}"' in schema]


def every_sink(run):
    """Each type of sink, with each type of buffer."""
    run.file_sink('file-gzip', compression='gzip')
    for kind in buffer_types():
        more = {'buffer': run.buffered(kind)}
        run.file_sink(f'file-{kind}', **more)
        run.peer_sink(f'tcp-{kind}', peers.TcpPeer, **more)
        run.peer_sink(f'http-{kind}', peers.HttpPeer, **more)


def settle(run):
    """The agent is up, whatever state the fault left it in."""
    if run.agent is None or not run.agent.running():
        run.start(ready=False)


# -- kill -9 ----------------------------------------------------------------------------------------------

def kill_at_random(run, moments):
    every_sink(run)
    run.configure()
    run.load()
    while not run.over() and (run.kills_max is None or run.faults['kills'] < run.kills_max):
        settle(run)
        moments(run)
        if run.agent.running():
            run.kill()
        run.faults['kills'] += 1
        if run.faults['kills'] % 8 == 0:
            killed = time.monotonic()
            run.start(ready=False)
            run.recover(killed)
    settle(run)
    run.recover()
    return run.finish()


@scenario(weight=3)
def kill(run):
    """kill -9 at random moments under load, with rotation by rename, copytruncate and gzip all the time."""
    return kill_at_random(run, lambda run: run.some_time(0.02, 0.9))


@scenario()
def kill_at_start(run):
    """kill -9 in the first 150 ms of a start."""
    return kill_at_random(run, lambda run: run.some_time(0.0, 0.15))


@scenario()
def kill_at_stop(run):
    """SIGTERM, and kill -9 within the 150 ms that follow."""
    def moments(run):
        run.some_time(0.1, 0.5)
        run.agent.process.send_signal(signal.SIGTERM)
        run.some_time(0.0, 0.15)
        # -15: it had not come as far as to wait for signals; 1: it leaves something for the next start.
        run.kill(ends=(-9, -15, 0, 1))
    return kill_at_random(run, moments)


@scenario()
def kill_at_reload(run):
    """SIGHUP with a changed configuration, and kill -9 within the 200 ms that follow."""
    def moments(run):
        run.some_time(0.1, 0.5)
        change(run)
        run.agent.process.send_signal(signal.SIGHUP)
        run.some_time(0.0, 0.2)
        run.kill(ends=(-9, -1))  # -1: it had not come as far as to wait for signals
        run.configure()  # whole, for the next start
    return kill_at_random(run, moments)


@scenario()
def kill_in_disk_call(run):
    """Death inside the n-th call that changes a file of the agent: half of a write is left behind."""
    shim = faults.Shim(run.world.dir, run.world.dir)
    run.options['inside'] = shim.inside

    def moments(run):
        shim.control.kill_after = run.random.randint(1, 120)
        end = time.monotonic() + 5
        while run.agent.running() and time.monotonic() < end:
            time.sleep(0.005)
        shim.well()
        if not run.agent.running():
            code = run.agent.process.wait()
            if code != -9:
                run.expect_alive()
    return kill_at_random(run, moments)


# -- Reload, stop, hang -----------------------------------------------------------------------------------

def change(run):
    """Another configuration: of a source, of a sink, or one sink more or less beside those that are counted."""
    kept = dict(run.sinks)
    for name in run.sinks:
        if run.random.random() < 0.3:
            run.sinks[name] = {**run.sinks[name], 'request_timeout': f'{run.random.randint(2, 9)}s'}
    if run.random.random() < 0.5:
        run.sinks[f'extra-{run.random.randint(1, 3)}'] = {'type': 'blackhole'}
    try:
        if run.random.random() < 0.15:
            with open(run.configure(), 'a') as file:
                file.write('\n}} nonsense')
            run.faults['bad configurations'] += 1
        else:
            run.configure()
    finally:
        run.sinks = kept


@scenario()
def reload(run):
    """SIGHUP after SIGHUP, each with another configuration, some of them broken."""
    every_sink(run)
    run.configure()
    run.load()
    run.start()
    while not run.over():
        change(run)
        run.agent.reload()
        run.faults['reloads'] += 1
        run.some_time(0.0, 0.6)
        run.expect_alive()
        if run.faults['reloads'] % 10 == 0:
            run.recover()
    run.configure()
    run.agent.reload()
    run.recover()
    return run.finish()


@scenario()
def restart(run):
    """SIGTERM and a start, again and again: nothing lost, and nothing repeated by a sink that can be told."""
    every_sink(run)
    run.configure()
    run.load()
    while not run.over():
        began = time.monotonic()
        run.start(ready=False)
        run.recover(began)
        run.some_time(0.0, 0.6)
        code = run.agent.stop()
        if code != 0:
            run.notes.append(f'a stop gave {code}')
        run.faults['restarts'] += 1
    settle(run)
    run.recover()
    return run.finish()


@scenario()
def frozen(run):
    """SIGSTOP for up to some seconds, then SIGCONT."""
    every_sink(run)
    run.configure()
    run.load()
    run.start()
    while not run.over():
        run.some_time(0.1, 0.5)
        run.agent.process.send_signal(signal.SIGSTOP)
        run.some_time(0.2, 1.5 if run.short else 5)
        run.agent.process.send_signal(signal.SIGCONT)
        run.faults['stops'] += 1
        run.recover()
    return run.finish()


# -- Time and disk ----------------------------------------------------------------------------------------

@scenario()
def clock(run):
    """The system's clock set forth and back, by seconds and by years, and kill -9 under a wrong one."""
    shim = faults.Shim(run.world.dir, run.world.dir)
    run.options['inside'] = shim.inside
    every_sink(run)
    run.configure()
    run.load()
    run.start()
    jumps = [1, -1, 60, -60, 3600, -3600, 86400, -86400, 10 * 365 * 86400, -10 * 365 * 86400]
    while not run.over():
        shim.control.clock_ns = int(run.random.choice(jumps) * 1e9 * run.random.random())
        run.faults['clock changes'] += 1
        run.some_time(0.05, 0.4)
        run.expect_alive()
        if run.random.random() < 0.15:
            run.kill()
            run.faults['kills'] += 1
            run.start(ready=False)
        if run.random.random() < 0.2:
            run.recover()
    shim.control.clock_ns = 0
    run.recover()
    return run.finish()


def full_disk(run, inside_disk):
    run.start()
    run.recorded()
    while not run.over():
        run.some_time(0.1, 0.6)
        inside_disk.fill()
        run.faults['disk full'] += 1
        run.some_time(0.3, 2.5)
        run.expect_alive()
        if run.random.random() < 0.3:
            run.kill()
            run.faults['kills'] += 1
        inside_disk.free()
        freed = time.monotonic()
        settle(run)
        run.recover(freed)
    inside_disk.free()
    settle(run)
    run.recover()
    return run.finish()


@scenario()
def full_data_dir(run):
    """The disk of data_dir (checkpoints, buffers) full again and again, with kill -9 now and then."""
    disk = faults.SmallDisk(run.world.path('small'), '24m')
    run.closers.append(disk.close)
    run.options['inside'] = disk.inside
    every_sink(run)
    run.top['data_dir'] = run.world.path('small/data')
    run.configure()
    run.load()
    return full_disk(run, disk)


@scenario()
def full_output(run):
    """The disk of a file sink's output full again and again, beside sinks that go on."""
    disk = faults.SmallDisk(run.world.path('small'), '512m')
    run.closers.append(disk.close)
    run.options['inside'] = disk.inside
    run.file_sink('out', run.world.path('small/out'))
    run.outputs[-1].path = os.path.join(disk.root, 'out')
    run.file_sink('other')
    run.configure()
    run.load()
    return full_disk(run, disk)


@scenario()
def disk_errors(run):
    """One in some calls that change files of the agent fails with EIO or ENOSPC, with kill -9 now and then."""
    shim = faults.Shim(run.world.dir, run.world.dir)
    run.options['inside'] = shim.inside
    every_sink(run)
    run.configure()
    run.load()
    run.start()
    run.recorded()
    while not run.over():
        name, error = run.random.choice(sorted(faults.DISK_ERRORS.items()))
        shim.fail(error, run.random.choice([2, 5, 20]))
        run.some_time(0.2, 1.5)
        run.expect_alive()
        if run.random.random() < 0.3:
            run.kill()
            run.faults['kills'] += 1
        shim.well()
        run.faults[name] += 1
        healed = time.monotonic()
        settle(run)
        run.recover(healed)
    run.faults['failed calls'] = shim.control.failed
    return run.finish()


# -- Limits -----------------------------------------------------------------------------------------------

@scenario()
def few_descriptors(run):
    """RLIMIT_NOFILE so tight that 300 files, sinks and the API fight for descriptors."""
    run.file_sink('file')  # a buffer on disk takes descriptors of its own, and more than are left here
    run.peer_sink('tcp', peers.TcpPeer)
    run.peer_sink('http', peers.HttpPeer)
    limit = 64
    run.options['prepare'] = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    run.configure()
    for n in range(100 if run.short else 300):
        run.world.write(f'many/{n}.log', b'')
    run.load()
    args = ['--out', run.world.log('many/{}.log'), '--files', 100 if run.short else 300, '--rate', '200B/s']
    run.writers.append(run.world.generate(*args, wait=False))
    run.start()
    while not run.over():
        run.some_time(0.2, 1)
        # Less than it has: what it opens next fails.
        low = run.random.randint(24, 48)
        resource.prlimit(run.agent.pid, resource.RLIMIT_NOFILE, (low, limit))
        run.faults['limits lowered'] += 1
        run.some_time(0.2, 1.5)
        resource.prlimit(run.agent.pid, resource.RLIMIT_NOFILE, (limit, limit))
        run.recover()
    return run.finish()


@scenario()
def little_address_space(run):
    """RLIMIT_AS at what the agent has and a little: allocations fail, it says so and goes on."""
    every_sink(run)
    run.configure()
    run.load()
    long_lines = ['--out', run.world.log('long.log'), '--format', 'java', '--line-bytes', 300_000, '--rate', '2MB/s']
    run.writers.append(run.world.generate(*long_lines, wait=False))
    run.rate += 2_000_000
    run.start()
    while not run.over():
        run.some_time(0.2, 0.8)
        with open(f'/proc/{run.agent.pid}/statm') as statm:
            size = int(statm.read().split()[0]) * resource.getpagesize()
        resource.prlimit(run.agent.pid, resource.RLIMIT_AS, (size + run.random.choice([0, 1 << 18, 1 << 22]), resource.RLIM_INFINITY))
        run.faults['limits lowered'] += 1
        for peer in run.peers:
            peer.mode = 'hang'
        run.some_time(0.3, 1.5)
        run.expect_alive()
        for peer in run.peers:
            peer.mode = 'ok'
        resource.prlimit(run.agent.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        run.recover()
    refusals = run.agent.metrics().get('logflume_memory_refusals_total')
    run.notes.append(f'{refusals:.0f} allocations refused')
    if refusals and 'no more memory for the agent' not in run.agent.stderr():
        raise Broken('memory was refused, and the agent has not said so')
    return run.finish()


@scenario()
def out_of_memory(run):
    """The OOM killer's victim, restarted: in a memory cgroup that is too small, or by a watcher of its size."""
    every_sink(run)
    run.configure()
    run.load(rate=4 * run.rate)
    tight = 14 << 20
    try:
        group = faults.MemoryGroup(f'logflume-torture-{os.getpid()}', tight)
    except faults.NotHere:
        group = faults.MemoryWatch(tight)
    run.closers.append(group.close)
    run.options['prepare'] = group.enter
    run.notes.append(group.how)
    while not run.over():
        group.limit(run.random.randint(8 << 20, tight))
        run.start(ready=False)
        group.watch(run.agent)
        end = time.monotonic() + 3
        while run.agent.running() and time.monotonic() < end:
            time.sleep(0.01)
        if run.agent.running():
            run.kill()
            run.faults['kills'] += 1
        elif run.agent.process.wait() == -9:
            run.faults['OOM kills'] += 1
        else:
            run.expect_alive()
    run.options.clear()
    began = time.monotonic()
    settle(run)
    run.recover(began)
    return run.finish()


# -- Peers ------------------------------------------------------------------------------------------------

def bad_peers(run, modes):
    run.start()
    while not run.over():
        run.some_time(0.1, 0.4)
        for peer in run.peers:
            peer.mode = run.random.choice([mode for mode in modes if mode in peer.modes] or ['ok'])
            run.faults[peer.mode] += 1
        run.some_time(0.5, 2 if run.short else 5)
        run.expect_alive()
        if run.random.random() < 0.15:
            run.kill()
            run.faults['kills'] += 1
        for peer in run.peers:
            peer.mode = 'ok'
        well = time.monotonic()
        settle(run)
        run.recover(well)
    return run.finish()


@scenario()
def hanging_peers(run):
    """Servers that take connections and answer nothing, or answer a byte at a time."""
    every_sink(run)
    run.configure()
    run.load()
    return bad_peers(run, ['hang', 'slow'])


@scenario()
def broken_peers(run):
    """Servers that reset, say FIN, answer garbage, answer without end, refuse with every status, or are gone."""
    every_sink(run)
    run.configure()
    run.load()
    return bad_peers(run, ['fin', 'down', 'busy', 'reset', 'garbage', 'any'])


# -- Files ------------------------------------------------------------------------------------------------

@scenario(weight=2)
def mistreated_files(run):
    """What rotation tools, editors and administrators do to logs, with kill -9, SIGSTOP and reloads between it.

    tests/mistreat.py, again and again with another seed; it checks that each line came once."""
    written, rounds = 0, 0
    while not run.over():
        seconds = min(20, max(3, run.begin + run.seconds - time.monotonic()))
        world = harness.World(os.path.join(run.world.dir, str(rounds)))
        seed = run.random.randrange(1 << 31)
        try:
            done, streams = mistreat(world, seed, seconds)
        except AssertionError as error:
            raise Broken(f'PYTHONPATH=tests python3 tests/mistreat.py --seed {seed} --seconds {seconds:.0f}: {error}') from None
        finally:
            world.close()
        for what, count in done.items():
            run.faults[what.split(' of ')[0]] += count
        written, rounds = written + sum(streams.values()), rounds + 1
    note = '; '.join([f'{rounds} seeds', *(f'{count} {what}' for what, count in sorted(run.faults.items()))])
    return [Row(run.name, 'file-memory', EXACTLY, sum(run.faults.values()), written, 0, 0, 0, 0, 0, note)]
