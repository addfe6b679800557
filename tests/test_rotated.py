"""Files that are rotated, copied, truncated and compressed: every line once, in all three read modes, as
`generate --verify` counts them. An agent that is halted by a signal makes what is done meanwhile one moment."""
import contextlib
import gzip
import os
import shutil
import signal
import time

import pytest

from harness import HttpReceiver, until
from mistreat import Stream, compress


@contextlib.contextmanager
def unseen(agent):
    """What is done inside happens at once for the agent."""
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(agent.pid, signal.SIGCONT)


def finish(world, streams, agent=None, unmarked=0, outputs=()):
    """All came; and nothing more comes, at the stop, from what was held as a possible copy, or after the next start."""
    expected = {name: lines for stream in streams for name, lines in stream.expected.items()}
    report = world.expect_complete(expected, *outputs, reordering=True, unmarked=unmarked)
    if agent:
        assert agent.metrics().get('logflume_lost_bytes_total') == 0
        assert agent.stop() == 0
        world.run_to_end()
        report = world.expect_complete(expected, *outputs, reordering=True, unmarked=unmarked)
    return report


def everything(world):
    return [world.log('a.log*')]


# -- By rename --------------------------------------------------------------------------------------------


@pytest.mark.parametrize('recreated', ['at once', 'late', 'never'])
@pytest.mark.parametrize('globs', ['narrow', 'wide'])
def test_a_renamed_file_and_its_successor(world, mode, recreated, globs):
    world.config(read_mode=mode, include=everything(world) if globs == 'wide' else None)
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(200))
    agent = world.start()
    world.expect_complete(stream.expected)
    old = open(world.log(), 'ab', buffering=0)
    old.write(stream.take(10))
    os.rename(world.log(), world.log('a.log.1'))
    if recreated == 'at once':
        world.append('a.log', stream.take(10))
    old.write(stream.take(10))
    if recreated == 'late':
        world.expect_complete(stream.expected)
        old.write(stream.take(10))
        world.append('a.log', stream.take(10))
    old.write(stream.take(10))
    old.close()
    finish(world, [stream], agent)


def test_five_rotations_while_the_agent_is_down(world, mode):
    world.config(read_mode=mode, include=everything(world))
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    assert agent.stop() == 0
    for _ in range(5):
        world.append('a.log', stream.take(50))
        for n in range(4, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(world.log(f'a.log.{n}'), world.log(f'a.log.{n + 1}'))
        os.rename(world.log(), world.log('a.log.1'))
    world.append('a.log', stream.take(50))
    finish(world, [stream], world.start())


def test_the_unread_tail_is_found_after_five_rotations_out_of_the_globs(world, mode):
    """What was made and rotated away meanwhile was never seen under a name within the globs: it is not read."""
    world.config(read_mode=mode)
    stream, unseen_lines = Stream(world, 'a'), Stream(world, 'unseen')
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    assert agent.stop() == 0
    world.append('a.log', stream.take(50))
    os.rename(world.log(), world.log('a.log.5'))
    for n in range(4, 0, -1):
        world.write(f'a.log.{n}', unseen_lines.take(50))
    world.append('a.log', stream.take(50))
    finish(world, [stream], world.start())
    assert b'unseen' not in world.out()


def test_a_writer_that_keeps_the_old_file_for_long(world, mode):
    """Method: each late line comes when the one before was seen, for three times `rotate_wait`."""
    world.config(read_mode=mode, rotate_wait='2s')
    stream, late = Stream(world, 'a'), Stream(world, 'late')
    world.write('a.log', stream.take(100))
    world.write('b.log', late.take(100))
    agent = world.start()
    with open(world.log('b.log'), 'ab', buffering=0) as old:
        os.rename(world.log('b.log'), world.log('b.log.1'))
        end = time.monotonic() + 6
        while time.monotonic() < end:
            old.write(late.take(1))
            world.append('b.log', stream.take(1))
            world.expect_complete({**stream.expected, **late.expected})
    finish(world, [stream, late], agent)


@pytest.mark.parametrize('why', ['a rate limit', 'a sink that hangs'])
def test_a_file_far_behind_is_rotated(world, mode, why):
    with contextlib.closing(HttpReceiver(world.path('received.log'), None if 'sink' in why else 200)) as receiver:
        sinks = {'out': world.file_sink()}
        if 'sink' in why:
            sinks['web'] = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'buffer': {'max_bytes': '100KB'},
                            'batch': {'max_bytes': '50KB', 'linger': '10ms'}, 'request_timeout': '1s'}
        limit = {'file_rate_limit': '1MB'} if 'rate' in why else {}
        world.config(read_mode=mode, sinks=sinks, rotate_wait='1s', **limit)
        stream = Stream(world, 'a', 12_000)
        world.write('a.log', stream.take(8000))  # some 1.6 MB
        agent = world.start()
        for n in range(3):
            until(lambda: world.out(), 'the first lines')
            os.rename(world.log(), world.log(f'a.log.{n}'))
            new = stream.take(500)
            world.append('a.log', new)
            world.append(f'a.log.{n}', stream.take(50))
            until(lambda: new.splitlines()[-1] in world.out(), 'the new file is read before it is rotated away')
        if 'sink' in why:
            world.expect_complete(stream.expected, reordering=True)
            time.sleep(2)  # longer than a renamed file is followed that has been read
            receiver.status = 200
            world.expect_complete(stream.expected, receiver.path, reordering=True, duplicates=True)
        finish(world, [stream], agent)


# -- By copy and truncation -------------------------------------------------------------------------------


@pytest.mark.parametrize('when', ['while reading', 'while behind', 'while down'])
def test_copytruncate(world, mode, when):
    world.config(read_mode=mode, include=everything(world), **({'file_rate_limit': '1MB'} if 'behind' in when else {}))
    stream = Stream(world, 'a', 12_000)
    world.write('a.log', stream.take(8000))
    agent = world.start()
    if 'behind' in when:
        until(lambda: world.out(), 'the first lines')
    else:
        world.expect_complete(stream.expected)
    if 'down' in when:
        assert agent.stop() == 0
    for n in range(1 if 'behind' in when else 2):
        world.append('a.log', stream.take(100))
        shutil.copyfile(world.log(), world.log(f'a.log.{n}'))
        os.truncate(world.log(), 0)
        world.append('a.log', stream.take(100))
    finish(world, [stream], world.start() if 'down' in when else agent)


@pytest.mark.parametrize('when', ['while it runs', 'while down', 'killed'])
def test_a_copy_on_an_inode_that_was_known_is_a_copy_all_the_same(world, mode, when):
    """cp over an older rotated file; or a file system that gives the inode of a deleted file to the next one."""
    world.config(read_mode=mode, include=everything(world))
    stream, older = Stream(world, 'a'), Stream(world, 'older')
    world.write('a.log.1', older.take(100))
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete({**stream.expected, **older.expected})
    if when == 'while down':
        assert agent.stop() == 0
    elif when == 'killed':
        until(lambda: agent.metrics().get('logflume_component_sent_events_total', component='out') == 200, 'it is sent')
        until(lambda: agent.metrics().get('logflume_sink_inflight_batches') == 0, 'it is acknowledged')
        until(lambda: agent.metrics().get('logflume_checkpoint_age_seconds') == 0, 'it is recorded')
        agent.kill()
    with unseen(agent) if when == 'while it runs' else contextlib.nullcontext():
        shutil.copyfile(world.log(), world.log('a.log.1'))
        os.truncate(world.log(), 0)
        world.append('a.log', stream.take(20))
    if not agent.running():
        agent = world.start()
    finish(world, [stream, older], agent)


@pytest.mark.parametrize('how', ['copied', 'copied, and written to later', 'compressed'])
def test_a_file_that_is_rewritten_copied_and_deleted_at_once(world, mode, how):
    """mv to another device, or compression, of what nobody had seen; the writer may go on for a while."""
    world.config(read_mode=mode, include=everything(world))
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    with unseen(agent), open(world.log(), 'r+b', buffering=0) as writer:
        data = stream.take(60)
        writer.truncate(0)
        writer.write(data)
        if how == 'compressed':
            world.write('a.log.1.gz', gzip.compress(data))
        else:
            shutil.copyfile(world.log(), world.log('a.log.1'))
        os.unlink(world.log())
        if 'later' in how:
            writer.write(stream.take(5))
    world.expect_complete(stream.expected, reordering=True)
    time.sleep(6.5)  # longer than anything is held as a possible copy
    finish(world, [stream], agent)


@pytest.mark.parametrize('other', ['0', 'z'])
def test_the_archive_of_a_file_whose_inode_another_archive_has_got(world, mode, other):
    world.config(read_mode=mode, include=everything(world))
    stream, stranger = Stream(world, 'a'), Stream(world, 'stranger')
    path = world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    assert agent.stop() == 0
    world.write('a.log.1.gz', gzip.compress(open(path, 'rb').read()))
    inode = os.stat(path).st_ino
    os.unlink(path)
    data = gzip.compress(stranger.take(100))
    for n in range(100):
        made = world.write(f'a.log.{other}{n}.gz', data)
        if os.stat(made).st_ino == inode:
            break
        os.rename(made, world.path(f'aside{n}'))  # not deleted, so that the next one gets another inode
    else:
        pytest.skip('this file system does not use the inode again')
    finish(world, [stream, stranger], world.start())


@pytest.mark.skipif(not shutil.which('setpriv'), reason='needs setpriv')
def test_a_file_that_is_copied_and_deleted_before_its_first_turn(world, mode):
    """Method: after a start it cannot be opened; then it is copied and deleted."""
    world.config(read_mode=mode, include=everything(world))
    stream = Stream(world, 'a')
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    assert agent.stop() == 0
    world.append('a.log', stream.take(10))
    os.chmod(world.log(), 0)
    rights = '-dac_override,-dac_read_search'
    agent = world.start(inside=[] if os.getuid() else ['setpriv', '--bounding-set', rights, '--inh-caps', rights])
    until(lambda: agent.metrics().get('logflume_component_errors_total', reason='permission') > 0, 'it is refused')
    data = b''.join(stream.lines[:stream.taken])
    world.write('new', data)
    os.rename(world.log('new'), world.log('a.log.1'))
    os.unlink(world.log())
    finish(world, [stream], agent)


HEAD = b''.join(b'# a head that each of these files begins with, line %02d\n' % n for n in range(30))  # over 1 KiB


@pytest.mark.parametrize('size', ['smaller', 'the same', 'larger'])
@pytest.mark.parametrize('head', ['', 'the same first bytes'])
@pytest.mark.parametrize('when', ['while it runs', 'while down'])
def test_a_file_that_is_truncated_and_grows_again_before_anybody_looks(world, mode, size, head, when):
    world.config(read_mode=mode)
    stream = Stream(world, 'a')
    first_bytes = HEAD if head else b''
    old = stream.take(100)
    world.write('a.log', first_bytes + old)
    agent = world.start()
    world.expect_complete(stream.expected, unmarked=first_bytes.count(b'\n'))
    if when == 'while down':
        assert agent.stop() == 0
    with unseen(agent) if when == 'while it runs' else contextlib.nullcontext():
        new = b''
        while len(new) < {'smaller': len(old) // 2, 'the same': len(old), 'larger': 2 * len(old)}[size]:
            new += stream.take(1)
        if size == 'the same':  # to the byte: what is over is the beginning of a line
            new, rest = new[:len(old)], new[len(old):]
        os.truncate(world.log(), 0)
        world.append('a.log', first_bytes + new)
    if when == 'while down':
        agent = world.start()
    if size == 'the same':
        world.append('a.log', rest)
    finish(world, [stream], agent, unmarked=2 * first_bytes.count(b'\n'))


def test_a_file_that_is_truncated_to_a_middle(world, mode):
    """It is read from its beginning (semantics 8): what was left of it comes again, each new line once."""
    world.config(read_mode=mode)
    stream = Stream(world, 'a')
    kept = stream.take(100)
    world.write('a.log', kept + stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected)
    with unseen(agent):
        os.truncate(world.log(), len(kept))
        world.append('a.log', stream.take(10))
    world.expect_complete(stream.expected, duplicates=True, reordering=True)
    world.append('a.log', stream.take(10))
    report = world.expect_complete(stream.expected, duplicates=True, reordering=True)
    assert report['duplicated'] == 100
    assert agent.stop() == 0


def test_a_file_that_is_cut_before_the_reader_gets_there(world, mode):
    """What is left is read once; what was cut off is counted, with its range."""
    world.config(read_mode=mode, file_rate_limit='1MB')
    stream = Stream(world, 'a', 12_000)
    kept = stream.take(6000)
    cut = b''.join(stream.lines[6000:])
    world.write('a.log', kept + cut)
    agent = world.start()
    until(lambda: world.out(), 'the first lines')
    os.truncate(world.log(), len(kept))
    assert len(world.out()) < len(kept), 'the reader was faster'
    world.expect_complete(stream.expected)
    lost = lambda: agent.metrics().get('logflume_lost_bytes_total', component='app', reason='truncated')
    until(lambda: lost() == len(cut), lambda: f'{lost()} bytes are counted as lost, of {len(cut)}')
    assert f'bytes {len(kept)} to {len(kept) + len(cut)}' in agent.stderr() and world.log() in agent.stderr()
    assert agent.stop() == 0


# -- Compressed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
@pytest.mark.parametrize('when', ['while behind', 'while down'])
def test_the_unread_tail_is_continued_inside_the_archive(world, mode, kind, when):
    world.config(read_mode=mode, include=everything(world), file_rate_limit='1MB')
    stream = Stream(world, 'a', 12_000)
    world.write('a.log', stream.take(8000))
    agent = world.start()
    until(lambda: world.out(), 'the first lines')
    if 'down' in when:
        assert agent.stop() == 0
        assert 0 < world.out().count(b'\n') < 8000
    os.rename(world.log(), world.log('a.log.1'))
    world.append('a.log', stream.take(100))
    with open(world.log('a.log.1'), 'rb') as file:
        archive = compress(kind, file.read())
    world.write('unfinished', archive)
    os.rename(world.log('unfinished'), world.log(f'a.log.1.{kind}'))
    os.unlink(world.log('a.log.1'))
    if 'down' in when:
        agent = world.start()
    finish(world, [stream], agent)


@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
@pytest.mark.parametrize('harm', ['corrupt', 'cut off'])
def test_an_archive_that_is_damaged_or_cut_off_is_counted_and_the_rest_goes_on(world, kind, harm):
    world.config(include=everything(world))
    stream = Stream(world, 'a', 4000)
    harmed = bytearray(compress(kind, Stream(world, 'harmed', 4000).take(4000)))
    if harm == 'corrupt':
        harmed[len(harmed) // 2] ^= 0xff
    else:
        del harmed[-len(harmed) // 3:]
    world.write(f'a.log.2.{kind}', bytes(harmed))
    world.write(f'a.log.1.{kind}', compress(kind, stream.take(2000)))
    world.write('a.log', stream.take(100))
    agent = world.start()
    world.expect_complete(stream.expected, reordering=True)
    if harm == 'corrupt':
        errors = lambda: agent.metrics().get('logflume_component_errors_total', component='app', reason='corrupt_archive')
        until(lambda: errors() == 1, lambda: f'it is counted: {errors()}')
    world.append('a.log', stream.take(100))
    world.expect_complete(stream.expected, reordering=True)
    assert agent.stop() == 0
    said = world.call('run', '--config', world.path('logflume.yaml'), '--until-eof').stderr
    assert f'a.log.2.{kind} is ' + ('damaged' if harm == 'corrupt' else 'incomplete') in said, said
    assert b'harmed' not in world.out()
