"""Standard streams, terminals and signals: what ends the agent, and what it leaves alone."""
import os
import pty
import signal
import subprocess
import time

import pytest

from harness import BINARY, SLOW, numbered, until


def tail(world, *arguments, **more):
    return subprocess.Popen([BINARY, 'tail', world.log('*.log'), *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '<&- >&- 2>&-'])
def test_a_closed_stream_is_not_replaced_by_a_file_of_the_agent(world, closed):
    """Otherwise the first file that is opened gets the number, and what goes to standard error is written into it."""
    world.config(sinks={'out': world.file_sink(), 'console': {'type': 'console', 'encoding': 'raw'}},
                 top={'log': {'level': 'debug'}})
    world.write('a.log', b'SECRET LINE\n' * 1000)
    process = subprocess.Popen(['bash', '-c', f'exec {BINARY} run --config {world.path("logflume.yaml")} {closed}'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.closers.append(process.kill)
    world.expect_out(b'SECRET LINE\n' * 1000)
    links = {os.readlink(f'/proc/{process.pid}/fd/{fd}') for fd in (0, 1, 2)}
    assert links == {'/dev/null'}
    process.terminate()
    # Lines for a standard output that is closed are not delivered.
    assert process.wait(20 * SLOW) == (1 if '>&-' in closed.split() else 0)
    for name in os.listdir(world.path('data')):
        with open(world.path('data', name), 'rb') as file:
            content = file.read()
        assert b'SECRET' not in content and b'INFO' not in content, name


def test_a_console_that_is_closed_from_the_start_ends_the_agent(world):
    world.config(sinks={'console': {'type': 'console', 'encoding': 'raw'}})
    world.write('a.log', b'x\n')
    done = subprocess.run(['bash', '-c', f'exec {BINARY} run --config {world.path("logflume.yaml")} >&-'],
                          capture_output=True, text=True, timeout=20 * SLOW)
    assert done.returncode == 1
    assert 'console: standard output is closed' in done.stderr


def test_tail_ends_when_its_terminal_hangs_up(world):
    world.write('a.log', numbered(1, 3))
    process = tail(world)
    assert process.stdout.readline() == b'line 0000001\n'
    process.send_signal(signal.SIGHUP)
    assert process.wait(30 * SLOW) == 0  # its last checkpoint is synced to a busy disk
    # A terminal that is gone without a word is one that nobody reads.
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execv(BINARY, [BINARY, 'tail', world.log('*.log')])
    assert os.read(terminal, 1000).startswith(b'line 0000001')
    os.close(terminal)
    world.append('a.log', numbered(4, 6))
    ended = until(lambda: os.waitpid(pid, os.WNOHANG)[0], 'it ends', 10)
    assert ended == pid


def test_tail_under_nohup_goes_on(world):
    world.write('a.log', numbered(1, 3))
    process = tail(world, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout.readline() == b'line 0000001\n'
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    world.append('a.log', numbered(4, 4))
    assert [process.stdout.readline() for _ in range(3)][-1] == b'line 0000004\n'
    process.terminate()
    assert process.wait(10 * SLOW) == 0


def test_tail_into_head_ends_quietly(world):
    world.write('a.log', numbered(1, 200_000))
    done = subprocess.run(['bash', '-c', f'{BINARY} tail "{world.log()}" | head -2; echo ${{PIPESTATUS[0]}}'],
                          capture_output=True, text=True, timeout=20 * SLOW)
    assert done.stdout == 'line 0000001\nline 0000002\n0\n'
    assert done.stderr == ''


@pytest.mark.parametrize('lasting', [False, True])
def test_a_second_signal_ends_the_drain_at_once(world, receiver, lasting):
    receiver.status = None  # leaves requests without an answer
    world.write('a.log', numbered(1, 100))
    process = tail(world, '--to', receiver.uri, *(['--data-dir', world.path('data')] if lasting else []))
    until(lambda: receiver.posts, 'a request')
    process.terminate()
    time.sleep(0.5)
    assert process.poll() is None, 'it waits for what was read'
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20 * SLOW) == 1
    assert time.monotonic() - begin < 5 * SLOW
    stderr = process.stderr.read().decode()
    assert 'were not acknowledged' in stderr
    assert ('the next start reads them again' in stderr) == lasting
