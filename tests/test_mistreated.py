"""Files in odd places, taken away, refused, broken, huge, many, and clocks that jump: every line once, in all three
read modes, as `generate --verify` counts them. LOGFLUME_LONG=1 takes the big sizes."""
import contextlib
import os
import shutil
import signal
import subprocess
import time

import pytest

from harness import SLOW, until
from mistreat import Stream
from torture.faults import NotHere, Shim

LONG = os.environ.get('LOGFLUME_LONG') == '1'
root_only = pytest.mark.skipif(os.getuid() != 0 or not shutil.which('unshare') or not shutil.which('nsenter'),
                               reason='needs root, unshare and nsenter')


class Mounts:
    """A mount namespace in which `script` was run; `at(path)` leads there from outside."""

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(['unshare', '-m', 'sh', '-ec', script + '\necho mounted; exec sleep 1000', 'sh', *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'mounted\n':
            pytest.skip(f'cannot be mounted here: {self.process.communicate()[1].strip()}')
        self.inside = ['nsenter', '-t', str(self.process.pid), '-m', '--wd=/']

    def at(self, path):
        return f'/proc/{self.process.pid}/root{path}'

    def run(self, *command):
        subprocess.run([*self.inside, *command], check=True)

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def mounts(world):
    made = []

    def make(script, *arguments):
        made.append(Mounts(script, *arguments))
        return made[-1]
    yield make
    for agent in world.agents:
        if agent.running():
            agent.kill()
    for one in made:
        one.close()


def append(path, data):
    with open(path, 'ab', buffering=0) as file:
        file.write(data)


def once_more(world, stream, agent, **more):
    """Nothing comes twice at the next start either."""
    assert agent.stop() == 0
    world.run_to_end(**more)
    return world.expect_complete(stream.expected, reordering=True)


# -- Names and places -------------------------------------------------------------------------------------


def test_names_of_any_bytes(world, mode):
    world.config(read_mode=mode, include=[world.log('*')])
    stream = Stream(world, 'a')
    names = [b'new\nline.log', b'two words.log', b'quote"\'.log', b'\xff\xfe not utf-8.log', b'x' * 255, b'-rf', b'*?[a]{b}.log',
             b'back\\slash', b'\x01\x7f', b'tab\t.log']
    paths = [os.fsencode(world.path('logs')) + b'/' + name for name in names]
    for path in paths[::2]:
        append(path, stream.take(10))
    agent = world.start()
    for path in paths[1::2] + paths:
        append(path, stream.take(10))
    world.expect_complete(stream.expected, reordering=True)
    for path in paths:
        os.rename(path, path[:-1] + b'~')
        append(path[:-1] + b'~', stream.take(5))
    world.expect_complete(stream.expected, reordering=True)
    once_more(world, stream, agent)


def test_hard_links_and_two_globs_are_one_file(world, mode):
    world.config(read_mode=mode, include=[world.log('*.log'), world.log('a*'), world.log('**/*.log')])
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(50))
    os.link(world.log(), world.log('b.log'))
    agent = world.start()
    world.expect_complete(stream.expected)
    for name in ('a.log', 'b.log', 'a.log'):
        world.append(name, stream.take(10))
        world.expect_complete(stream.expected)
    os.unlink(world.log())
    world.append('b.log', stream.take(10))
    world.expect_complete(stream.expected)
    once_more(world, stream, agent)


def test_a_kubernetes_volume_that_is_swapped(world, mode):
    """app.log -> ..data/app.log, ..data -> ..1; then ..data is replaced by a link to ..2 in one rename."""
    world.config(read_mode=mode)
    stream = Stream(world, 'a')

    def version(n):
        world.write(f'..{n}/app.log', stream.take(50))
        os.symlink(f'..{n}', world.log('..data_tmp'))
        os.rename(world.log('..data_tmp'), world.log('..data'))
    version(1)
    os.symlink('..data/app.log', world.log('app.log'))
    agent = world.start()
    world.expect_complete(stream.expected)
    for n in range(2, 5):
        version(n)
        world.append('app.log', stream.take(10))
        world.expect_complete(stream.expected, reordering=True)
        shutil.rmtree(world.log(f'..{n - 1}'))
    once_more(world, stream, agent)


def test_a_file_that_is_moved_out_and_back_and_its_directory_replaced(world, mode):
    world.config(read_mode=mode, include=[world.log('**/*.log')])
    stream = Stream(world, 'a')
    world.write('dir/a.log', stream.take(50))
    agent = world.start()
    world.expect_complete(stream.expected)
    for _ in range(3):
        os.rename(world.log('dir/a.log'), world.path('away'))
        append(world.path('away'), stream.take(10))
        os.rename(world.path('away'), world.log('dir/a.log'))
        world.expect_complete(stream.expected)
    for n in range(3):  # another directory of the same name, with a file of the same name
        world.write(f'next/a.log', stream.take(50))
        os.rename(world.log('dir'), world.path(f'old{n}'))
        os.rename(world.log('next'), world.log('dir'))
        append(world.log('dir/a.log'), stream.take(10))
        world.expect_complete(stream.expected, reordering=True)
    once_more(world, stream, agent)


@root_only
@pytest.mark.parametrize('kind', ['bind', 'overlay', 'another device'])
def test_mounts(world, mode, mounts, kind):
    script = {'bind': 'mkdir "$1/real"; mount --bind "$1/real" "$1/logs"',
              'overlay': 'mkdir "$1/l" "$1/u" "$1/w"; echo -n >"$1/l/none"; '
                         'mount -t overlay o -o lowerdir="$1/l",upperdir="$1/u",workdir="$1/w" "$1/logs"',
              'another device': 'mount -t tmpfs none "$1/logs"; mkdir "$1/logs/d"; mount -t tmpfs none "$1/logs/d"'}[kind]
    made = mounts(script, world.dir)
    log = lambda name: made.at(world.log(name))
    world.config(read_mode=mode, include=[world.log('**/*.log*')])
    stream = Stream(world, 'a')
    append(log('a.log'), stream.take(100))
    agent = world.start(inside=made.inside)
    world.expect_complete(stream.expected)
    os.rename(log('a.log'), log('a.log.1'))
    append(log('a.log'), stream.take(20))
    append(log('a.log.1'), stream.take(20))
    world.expect_complete(stream.expected, reordering=True)
    if kind == 'another device':
        shutil.copyfile(log('a.log'), log('d/a.log.2'))  # mv
        os.unlink(log('a.log'))
    else:
        shutil.copyfile(log('a.log'), log('a.log.2'))
        os.truncate(log('a.log'), 0)
    append(log('a.log'), stream.take(20))
    world.expect_complete(stream.expected, reordering=True)
    assert agent.stop() == 0
    append(log('a.log'), stream.take(20))
    agent = world.start(inside=made.inside)
    world.expect_complete(stream.expected, reordering=True)
    assert agent.stop() == 0


# -- Refused and broken -----------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which('setpriv'), reason='needs setpriv')
@pytest.mark.parametrize('what', ['the file', 'its directory', 'a new file'])
def test_permission_is_lost_and_regained(world, mode, what):
    world.config(read_mode=mode, include=[world.log('**/*.log')], close_inactive='1s', rescan_interval='500ms')
    stream = Stream(world, 'a')
    world.write('d/a.log', stream.take(50))
    rights = ['-dac_override', '-dac_read_search']
    drop = [] if os.getuid() else ['setpriv', '--bounding-set', ','.join(rights), '--inh-caps', ','.join(rights)]
    agent = world.start(inside=drop)
    world.expect_complete(stream.expected)
    held = lambda: any(link.endswith('.log') and '/d/' in link for link in agent.open_files())
    until(lambda: not held(), 'it is closed')
    refused = world.log('d') if 'directory' in what else world.log('d/b.log' if 'new' in what else 'd/a.log')
    path = world.log('d/b.log' if 'new' in what else 'd/a.log')
    writer = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0), 'ab', buffering=0)
    os.chmod(refused, 0)
    writer.write(stream.take(20))
    if 'directory' not in what:
        until(lambda: agent.metrics().get('logflume_component_errors_total', reason='permission') > 0, 'it is counted')
        until(lambda: agent.health()['status'] == 'degraded', 'it is said')
    os.chmod(refused, 0o700)
    writer.close()
    world.expect_complete(stream.expected, reordering=True)
    until(lambda: agent.health()['status'] == 'ok', lambda: f'well again: {agent.health()}')
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


@root_only
@pytest.mark.skipif(not os.path.exists('/dev/loop-control') or not shutil.which('mkfs.ext4'), reason='needs a loop device and mkfs.ext4')
def test_a_disk_that_fails_and_comes_back(world, mode, mounts):
    """Method: a file system on a loop device whose image is cut: the kernel itself says EIO, to pread and io_uring,
    and SIGBUS to a map."""
    image = world.path('image')
    made = mounts('truncate -s 64M "$1/image"; mkfs.ext4 -q -F "$1/image"; mount -o loop "$1/image" "$1/logs"', world.dir)
    path = made.at(world.log())
    stream = Stream(world, 'a', 40_000)
    append(path, stream.take(40_000))  # some 8 MB
    made.run('sync', '-f', world.log())
    shutil.copyfile(image, world.path('saved'))
    with open(path, 'rb') as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    os.truncate(image, 12 << 20)
    world.config(read_mode=mode)
    agent = world.start(inside=made.inside)
    errors = lambda: agent.metrics().get('logflume_component_errors_total', component='app', reason='read')
    until(lambda: errors() > 0, 'it is counted')
    until(lambda: agent.health()['status'] == 'degraded', lambda: f'it is said: {agent.health()}')
    assert 'Input/output error' in agent.stderr() and world.log() in agent.stderr()
    with open(world.path('saved'), 'rb') as saved, open(image, 'r+b') as file:
        shutil.copyfileobj(saved, file)
    world.expect_complete(stream.expected)
    until(lambda: agent.health()['status'] == 'ok', lambda: f'well again: {agent.health()}')
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


def test_a_file_deleted_while_behind_is_read_to_its_end(world, mode):
    world.config(read_mode=mode, file_rate_limit='1MB')
    stream = Stream(world, 'a', 8000)
    world.write('a.log', stream.take(8000))
    agent = world.start()
    until(lambda: world.out(), 'the first lines')
    os.unlink(world.log())
    world.expect_complete(stream.expected)
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


@pytest.mark.parametrize('budget', [{'max_bytes': '100KB'}, {'max_age': '1s'}])
def test_beyond_the_budget_of_deleted_files_the_loss_is_told_to_the_byte(world, mode, budget):
    """Whole lines are lost, as many as --verify misses: those of the range that the log names."""
    world.config(read_mode=mode, file_rate_limit='200KB', deleted_files=budget)
    stream = Stream(world, 'a', 8000)
    data = stream.take(8000)
    world.write('a.log', data)
    agent = world.start()
    until(lambda: world.out(), 'the first lines')
    os.unlink(world.log())
    lost = until(lambda: agent.metrics().get('logflume_lost_bytes_total', component='app', reason='deleted'), 'it is counted')
    begin = len(data) - int(lost)
    assert f'bytes {begin} to {len(data)} are lost ({next(iter(budget))} of deleted_files)' in agent.stderr()
    assert world.log() in agent.stderr()
    world.expect_complete({'a': data[:begin].count(b'\n')})
    assert agent.stop() == 0 and world.out() == data[:begin]


# -- Big, sparse, many ------------------------------------------------------------------------------------


def test_a_file_with_holes(world, mode):
    """NUL bytes are bytes: each hole stands in a line of its own, and nothing else is harmed."""
    world.config(read_mode=mode, max_line_bytes='64KiB')
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(100))
    agent = world.start()
    for n, hole in enumerate((1, 4095, 4096, 300_000, 5_000_000), 1):
        with open(world.log(), 'r+b') as file:
            file.seek(hole, os.SEEK_END)
            file.write(b'\n' + stream.take(100))
        world.expect_complete(stream.expected, unmarked=n)
    assert b'\n' + bytes(4096) + b'\n' in world.out()
    until(lambda: agent.metrics().get('logflume_truncated_events_total') == 2, 'the long ones are cut, and counted')
    assert agent.stop() == 0


def test_space_behind_the_end_and_a_hole_punched_at_the_beginning(world, mode):
    """fallocate --keep-size, and --punch-hole for what was read: how some keep a live log small."""
    if subprocess.run(['fallocate', '--length', '1MiB', world.path('probe')], capture_output=True).returncode != 0:
        pytest.skip('no fallocate here')
    world.config(read_mode=mode)
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(200))
    subprocess.run(['fallocate', '--keep-size', '--length', '8MiB', world.log()], check=True)
    agent = world.start()
    world.expect_complete(stream.expected)
    subprocess.run(['fallocate', '--punch-hole', '--length', '16KiB', world.log()], check=True)
    world.append('a.log', stream.take(20))
    world.expect_complete(stream.expected)
    once_more(world, stream, agent)


def test_a_line_of_gigabytes(world, mode):
    """Cut at max_line_bytes, counted, in little memory; the lines around it are whole."""
    size = 10 << 30 if LONG else 1 << 29
    world.config(read_mode=mode, top={'memory_limit': '16MiB'})
    stream = Stream(world, 'a')
    with open(world.log(), 'wb') as file:
        file.write(stream.take(10))
        file.seek(size, os.SEEK_CUR)
        file.write(b'\n' + stream.take(10))
    started = time.monotonic()
    agent = world.start()
    world.expect_complete(stream.expected, unmarked=1, seconds=30 if not LONG else 300)
    print(f'{size >> 20} MiB in {time.monotonic() - started:.1f} s, {agent.rss_bytes() >> 20} MiB resident')
    assert agent.metrics().get('logflume_truncated_events_total', component='app') == 1
    if SLOW == 1:
        assert agent.rss_bytes() < (16 + 64) << 20
    assert agent.stop() == 0


def test_very_many_empty_files(world):
    """A line to some of them is seen at once; memory for each is small."""
    count = 1_000_000 if LONG else 20_000
    world.config(include=[world.log('**/*.log')])
    stream = Stream(world, 'a')
    for n in range(count):
        if n % 1000 == 0:
            os.makedirs(world.log(str(n // 1000)))
        os.close(os.open(world.log(f'{n // 1000}/{n}.log'), os.O_WRONLY | os.O_CREAT, 0o644))
    started = time.monotonic()
    agent = world.start(ready=False)
    until(lambda: agent.get('/readyz')[0] == 200, 'ready', 300)
    start_seconds = time.monotonic() - started
    for n in range(0, count, count // 20):
        world.append(f'{n // 1000}/{n}.log', stream.take(5))
    world.expect_complete(stream.expected, reordering=True, seconds=60 if not LONG else 600)
    print(f'{count} files: started in {start_seconds:.1f} s, {agent.rss_bytes() >> 20} MiB resident')
    if SLOW == 1:
        assert agent.rss_bytes() < (64 << 20) + count * 2048
    assert agent.stop() == 0


def test_more_is_created_than_the_kernel_can_tell(world, mode):
    """Method: the agent is halted while 50,000 files come with a line each (fewer in two of the modes, which is quicker),
    so that the queue of events overflows."""
    with open('/proc/sys/fs/inotify/max_queued_events') as file:
        count = 50_000 if mode == 'pread' or LONG else 10_000
        assert int(file.read()) < 2 * count, 'the queue would hold them'
    world.config(read_mode=mode)
    stream = Stream(world, 'a', count + 10)
    agent = world.start()
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        for n in range(count):
            fd = os.open(world.log(f'{n}.log'), os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(fd, stream.take(1))
            os.close(fd)
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    world.expect_complete(stream.expected, reordering=True, seconds=90)
    world.append('0.log', stream.take(10))
    world.expect_complete(stream.expected, reordering=True)
    assert agent.stop() == 0


def test_without_watches_every_line_comes_by_looking(world, mode):
    inside = ['unshare', '-U', '-r', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_watches && exec "$0" "$@"']
    if subprocess.run([*inside, 'true'], capture_output=True).returncode != 0:
        pytest.skip('no user namespace, or no limit of watches in it')
    world.config(read_mode=mode, include=[world.log('a.log*')], rescan_interval='200ms')
    agent = world.start(inside=inside)
    streams = world.generate('--out', world.log(), '--lines', 10_000, '--rate', '5000/s', '--rotate', 'rename',
                             '--rotate-every', 2000, '--rotate-keep', 10)
    world.expect_complete(streams, reordering=True)
    assert agent.stop() == 0


# -- The clock --------------------------------------------------------------------------------------------


def test_a_clock_that_is_set_back_and_forth(world, mode):
    """Method: a library between the agent and the clock adds what a shared page says; the machine's own clock, and so
    the times of files, stay as they are."""
    try:
        shim = Shim(world.dir, world.dir)
    except NotHere as reason:
        pytest.skip(str(reason))

    def set_clock(seconds):
        shim.control.clock_ns = seconds * 1_000_000_000
    inside = shim.inside
    world.config(read_mode=mode, include=[world.log('a.log*')])
    stream = Stream(world, 'a', 4000)
    world.write('a.log', stream.take(100))
    agent = world.start(inside=inside)
    world.expect_complete(stream.expected)
    for n, offset in enumerate((86_400, -86_400, 400 * 86_400, -3600, 0)):
        set_clock(offset)
        world.append('a.log', stream.take(50))
        if n % 2:
            os.rename(world.log(), world.log(f'a.log.{n}'))
        else:
            shutil.copyfile(world.log(), world.log(f'a.log.{n}'))
            os.truncate(world.log(), 0)
        world.append('a.log', stream.take(50))
        world.expect_complete(stream.expected, reordering=True)
        if n == 2:
            assert agent.stop() == 0
            world.append('a.log', stream.take(50))
            agent = world.start(inside=inside)
            world.expect_complete(stream.expected, reordering=True)
        if n == 3:  # copied and truncated while stopped, and the next start is in the copy's past
            assert agent.stop() == 0
            shutil.copyfile(world.log(), world.log('a.log.stopped'))
            os.truncate(world.log(), 0)
            world.append('a.log', stream.take(50))
            agent = world.start(inside=inside)
            world.expect_complete(stream.expected, reordering=True)
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0
