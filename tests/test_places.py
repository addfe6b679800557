"""Where the bytes of a file are found: behind other names, in other directories, through few descriptors, far
inside an archive (docs/guarantees.md, Files)."""
import gzip
import os
import resource
import shutil
import time

import pytest

from harness import SLOW, numbered, until


# -- Archives -------------------------------------------------------------------------------------------------

def test_an_archive_is_gone_on_with_far_from_its_beginning_at_once(world):
    lines = 400_000  # 5.2 MB, known to 90 %
    known = numbered(1, lines * 9 // 10)
    world.config(include=[world.log('*')])
    world.write('a.log', known)
    world.run_to_end()
    world.write('a.log.1.gz', gzip.compress(numbered(1, lines), 1))
    os.unlink(world.log())
    agent = world.start()
    started = time.monotonic()
    world.expect_out(numbered(1, lines), seconds=5)
    assert time.monotonic() - started < 5
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') == 0, 'nothing is left')


def test_lag_is_told_as_soon_as_an_archive_is_known(world):
    lines = 400_000
    known = numbered(1, lines * 9 // 10)
    world.write('a.log', known)
    world.config(include=[world.log('*')])
    world.run_to_end()
    world.config(include=[world.log('*')], file_rate_limit='50KB')
    world.write('a.log.1.gz', gzip.compress(numbered(1, lines), 1))
    os.unlink(world.log())
    agent = world.start()
    until(lambda: len(world.out()) > len(known), 'it is gone on with')
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') > 100_000, 'lag', seconds=0.8)


@pytest.mark.sanitizer
def test_a_padded_archive_is_whole(world):
    world.write('a.log.gz', gzip.compress(numbered(1, 1000)) + bytes(10_240))
    world.config(include=[world.log('*')])
    agent = world.start()
    world.expect_out(numbered(1, 1000), seconds=5)
    assert agent.metrics().get('logflume_component_errors_total') == 0


# -- Descriptors ----------------------------------------------------------------------------------------------

def descriptors(limit):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def test_more_files_than_descriptors_are_read_in_turn(world):
    world.config()
    for n in range(400):
        world.write(f'{n}.log', b'%d\n' % n)
    agent = world.start(prepare=descriptors(256))
    expected = b''.join(b'%d\n' % n for n in range(400))
    world.expect_lines(expected)
    for n in range(400):
        world.append(f'{n}.log', b'again %d\n' % n)
    world.expect_lines(expected + b''.join(b'again %d\n' % n for n in range(400)))
    assert agent.get('/healthz')[0] == 200 and agent.health()['status'] == 'ok'
    assert len(agent.open_files()) < 256 - 32
    assert 'leaves room for 192' in agent.stderr()


@pytest.mark.parametrize('how', ['lent', 'inactive'])
def test_a_file_whose_handle_was_closed_is_found_where_it_was_moved_to(world, how):
    options = {'close_inactive': '1s'} if how == 'inactive' else {'top': {'max_open_files': 2}}
    world.config(**options)
    os.mkdir(world.path('old'))
    writers = [open(world.log(f'{n}.log'), 'ab', buffering=0) for n in range(6)]
    for n, writer in enumerate(writers):
        writer.write(b'early %d\n' % n)
    agent = world.start()
    expected = b''.join(b'early %d\n' % n for n in range(6))
    world.expect_lines(expected)
    if how == 'inactive':
        until(lambda: not any('/logs/' in link for link in agent.open_files()), 'they are closed')
    for n in range(6):
        os.rename(world.log(f'{n}.log'), world.path('old', f'{n}'))
    time.sleep(0.3)
    for n, writer in enumerate(writers):
        writer.write(b'late %d\n' % n)
    expected += b''.join(b'late %d\n' % n for n in range(6))
    world.expect_lines(expected)
    if how == 'lent':
        assert len([link for link in agent.open_files() if '/logs/' in link or '/old/' in link]) <= 2


def test_an_archive_that_cannot_be_compared_for_want_of_descriptors_is_compared_later(world):
    world.config(include=[world.log('*.log*')], top={'max_open_files': 1})
    agent = world.start(prepare=descriptors(4096))
    lines = numbered(1, 1000)
    others = b''

    def read_one_more(name):
        nonlocal others
        others += b'' if name == 'a.log' else name.encode() + b'\n'
        world.write(name, lines if name == 'a.log' else name.encode() + b'\n')
        world.expect_lines(lines + others)

    for name in ('a.log', 'b.log', 'c.log', 'd.log'):
        read_one_more(name)
    # Two handles are lent in turn. Of their numbers only the lower one may be used again: the archive gets it, if it is
    # the one that was lent first, and the original, whose handle was lent, cannot be opened.
    for older, newer, more in (('c.log', 'd.log', 'e.log'), ('d.log', 'e.log', None)):
        links = {int(fd): os.readlink(f'/proc/{agent.pid}/fd/{fd}') for fd in os.listdir(f'/proc/{agent.pid}/fd')}
        low, high = sorted(fd for fd, link in links.items() if '/logs/' in link)
        if links[low].endswith(older) and links[high].endswith(newer):
            break
        assert more, links
        read_one_more(more)
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (low + 1, 4096))
    world.write('a.log.1.gz', gzip.compress(lines))
    until(lambda: 'a.log: Too many open files' in agent.stderr(), 'the comparison is tried')
    time.sleep(1.2)  # and tried again
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    os.unlink(world.log('a.log'))
    world.write('a.log', numbered(1001, 1010))
    world.expect_lines(numbered(1, 1010) + others)


def test_an_archive_is_looked_into_while_its_original_is_deleted_and_has_no_handle(world):
    # The kernel's news are read each three seconds, so that the deletion is not known when the two are compared.
    world.config(include=[world.log('*.log*')], top={'max_open_files': 1}, coalesce='3s')
    lines = [b'%07d %s' % (n, os.urandom(25_000).hex().encode()) for n in range(400)]  # slow to decode
    world.write('a.log', b'\n'.join(lines) + b'\n')
    agent = world.start()
    world.expect_lines(lines)
    for name in ('b.log', 'c.log'):
        world.write(name, name + '\n')
        lines.append(name.encode())
    world.expect_lines(lines)
    until(lambda: not any(link.endswith('/a.log') for link in agent.open_files()), 'its handle is lent')
    with open(world.log('a.log'), 'rb') as file:
        world.write('archive', gzip.compress(file.read(), 1))
    os.rename(world.log('archive'), world.log('a.log.1.gz'))
    end = time.monotonic() + 20 * SLOW
    while not any(link.endswith('.gz') for link in agent.open_files()):
        assert time.monotonic() < end
    os.unlink(world.log('a.log'))
    world.write('a.log', 'new\n')
    world.expect_lines(lines + [b'new'])
    time.sleep(1)
    world.expect_lines(lines + [b'new'])


def test_files_that_are_rotated_out_of_the_globs_stay_within_the_limit(world):
    world.config(top={'max_open_files': 50})
    for n in range(600):
        world.write(f'{n}.log', b'%d\n' % n)
    agent = world.start(prepare=descriptors(256))
    world.expect_lines(b''.join(b'%d\n' % n for n in range(600)))
    for n in range(500):
        os.rename(world.log(f'{n}.log'), world.log(f'{n}.log.1'))
    world.write('new.log', b'new\n')
    world.expect_lines(b''.join(b'%d\n' % n for n in range(600)) + b'new\n')
    assert len([link for link in agent.open_files() if '/logs/' in link]) <= 50
    for n in range(500):
        world.append(f'{n}.log.1', b'late %d\n' % n)
    world.expect_lines(b''.join(b'%d\n' % n for n in range(600)) + b'new\n'
                       + b''.join(b'late %d\n' % n for n in range(500)))


def test_deleted_files_that_wait_for_a_sink_stay_within_the_descriptors(world):
    # 100 bytes a second: none of them is read to its end.
    world.config(file_rate_limit='100B', top={'max_open_files': 40})
    agent = world.start(prepare=descriptors(128))
    for n in range(200):
        world.write(f'{n}.log', numbered(1, 500, f'file{n}'))
        until(lambda: any(link.endswith(f'/{n}.log') for link in agent.open_files()), 'it is open')
        os.unlink(world.log(f'{n}.log'))
    until(lambda: agent.metrics().get('logflume_lost_bytes_total', reason='deleted') > 0, 'it is counted')
    assert len([link for link in agent.open_files() if '/logs/' in link]) <= 66
    assert 'the limit of open files' in agent.stderr()


@pytest.mark.parametrize('limit', [1, 2, 1000])
def test_copies_are_recognised_with_few_handles(world, limit):
    world.config(top={'max_open_files': limit})
    head = b'the same first line of all' + b'.' * 1100 + b'\n'
    expected = b''
    for n in range(6):
        world.write(f'{n}.log', head + numbered(1, 10, f'file{n}'))
        expected += head + numbered(1, 10, f'file{n}')
    world.run_to_end()
    world.expect_lines(expected)
    shutil.copy(world.log('3.log'), world.log('3.1.log'))
    os.truncate(world.log('3.log'), 0)
    world.append('3.log', b'after\n')
    world.run_to_end()
    world.expect_lines(expected + b'after\n')


# -- Names ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('renamed', ['first', 'second'])
def test_one_of_two_names_is_renamed_and_then_both_are_removed(world, renamed):
    world.config()
    world.write('x.log', b'one\n')
    os.link(world.log('x.log'), world.log('y.log'))
    agent = world.start()
    world.expect_out(b'one\n')
    old, other = ('x.log', 'y.log') if renamed == 'first' else ('y.log', 'x.log')
    os.rename(world.log(old), world.log('z.log'))
    world.append(other, b'two\nwithout an end')
    world.expect_out(b'one\ntwo\n')
    os.unlink(world.log(other))
    world.append('z.log', b' and more')
    time.sleep(0.3)
    os.unlink(world.log('z.log'))
    world.expect_out(b'one\ntwo\nwithout an end and more\n')
    until(lambda: not any('.log' in link and 'logs/' in link for link in agent.open_files()), 'it is closed')


def test_a_write_through_a_hard_link_outside_the_globs_is_seen(world):
    world.config()
    os.mkdir(world.path('other'))
    world.write('a.log', b'one\n')
    os.link(world.log(), world.path('other', 'x'))
    world.start()
    world.expect_out(b'one\n')
    with open(world.path('other', 'x'), 'ab') as file:
        file.write(b'two\n')
    world.expect_out(b'one\ntwo\n', seconds=5)
    world.append('a.log', b'three\n')
    world.expect_out(b'one\ntwo\nthree\n')
    os.unlink(world.path('other', 'x'))
    world.append('a.log', b'four\n')
    world.expect_out(b'one\ntwo\nthree\nfour\n')


def test_an_old_file_is_ignored_until_something_is_written_to_it(world):
    world.config(include=[world.log('*')], ignore_older='1h')
    old = time.time() - 7200
    world.write('a.log.1', numbered(1, 10))
    os.utime(world.log('a.log.1'), (old, old))
    world.write('b.log', b'new\n')
    world.start()
    world.expect_out(b'new\n')
    for change in (lambda: os.rename(world.log('a.log.1'), world.log('a.log.2')),
                   lambda: os.chmod(world.log('a.log.2'), 0o600),
                   lambda: os.link(world.log('a.log.2'), world.log('a.log.3'))):
        change()
        time.sleep(0.3)
    world.append('b.log', b'another\n')
    time.sleep(0.5)
    assert world.out() == b'new\nanother\n'
    world.append('a.log.2', b'line 11\n')
    world.expect_out(b'new\nanother\n' + numbered(1, 10) + b'line 11\n')


# -- Readers --------------------------------------------------------------------------------------------------

def test_a_map_that_is_refused_is_said(world):
    world.config(read_mode='mmap')
    agent = world.start()
    with open(f'/proc/{agent.pid}/statm') as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    room = 3 * 1024 * 1024  # less than a window of the reader
    resource.prlimit(agent.pid, resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))
    world.write('a.log', numbered(1, 100))
    world.expect_out(numbered(1, 100))
    until(lambda: 'Cannot allocate memory' in agent.stderr() and 'pread' in agent.stderr(), 'it is said')
    world.append('a.log', numbered(101, 200))
    world.expect_out(numbered(1, 200))
    resource.prlimit(agent.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert agent.stderr().count('Cannot allocate memory') == 1
    assert agent.stop() == 0
