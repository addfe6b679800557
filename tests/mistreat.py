"""Files mistreated at random: lines of several streams, and between them all that rotation tools, editors and
administrators do to logs. Whatever is done, each line has to come once.

    PYTHONPATH=tests python3 tests/mistreat.py --seed 7 --seconds 30 [--mode mmap]

does one run by itself; a failure is repeated by its seed.
"""
import argparse
import bz2
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import World


class Stream:
    """Lines that `generate --verify` knows, for a writer that a test drives itself."""

    def __init__(self, world, name, lines=2000):
        supply = world.path(f'{name}.supply')
        world.generate('--out', supply, '--lines', lines, '--writer-id', name)
        with open(supply, 'rb') as file:
            self.lines = file.read().splitlines(True)
        self.name, self.taken = name, 0

    def take(self, count):
        """The next `count` lines, as bytes."""
        assert self.taken + count <= len(self.lines), f'only {len(self.lines)} lines of {self.name} were made'
        self.taken += count
        return b''.join(self.lines[self.taken - count:self.taken])

    @property
    def expected(self):
        """For expect_complete(): the lines that were taken."""
        return {self.name: self.taken}


def compress(kind, data):
    if kind == 'zst':
        return subprocess.run(['zstd', '-q', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout
    return {'gz': gzip.compress, 'bz2': bz2.compress}[kind](data)


class Log:
    """One stream's live file and what became of its earlier ones. Nothing is deleted that may not have been read."""

    def __init__(self, world, random_, number):
        self.world, self.random = world, random_
        self.name = f's{number}'
        self.stream = Stream(world, self.name, 20_000)
        self.rotated = 0
        self.late = None  # the old file's writer, after a rotation
        self.at = world.log(f'{self.name}.log')
        self.append()

    def append(self, least=8):
        """Never less than 1 KiB to a new file: below that a copy and a file of its own cannot always be told apart."""
        data = self.stream.take(self.random.randint(least, 60))
        with open(self.at, 'ab', buffering=0) as file:
            cut = self.random.randrange(len(data)) if self.random.random() < 0.3 else len(data)
            file.write(data[:cut])
            file.write(data[cut:])

    def next_name(self):
        self.rotated += 1
        return self.random.choice([f'{self.at}.{self.rotated}', f'{self.at}-2026{self.rotated:04}'])

    def content(self):
        with open(self.at, 'rb') as file:
            return file.read()

    # -- What is done to it -------------------------------------------------------------------------------

    def rename(self):
        """logrotate, create; the writer may keep the old file for a while."""
        self.write_late()
        old = self.next_name()
        self.late = open(self.at, 'ab', buffering=0)
        os.rename(self.at, old)
        self.append()

    def write_late(self):
        if self.late:
            self.late.write(self.stream.take(3))
            self.late.close()
            self.late = None

    def copytruncate(self):
        shutil.copyfile(self.at, self.next_name())
        os.truncate(self.at, 0)
        self.append()

    def copytruncate_with_lines_between(self):
        """What is written between the copy and the truncation has to be delivered first: it would be lost."""
        copy = self.next_name()
        shutil.copyfile(self.at, copy)
        extra = self.stream.take(2)
        with open(self.at, 'ab') as file:
            file.write(extra)
        with open(copy, 'ab') as file:
            file.write(extra)
        os.truncate(self.at, 0)
        self.append()

    def compress(self):
        """compress without delaycompress: rename, write the archive beside it, delete."""
        self.write_late()
        old = self.next_name()
        os.rename(self.at, old)
        self.append()
        self.archive(old)

    def archive(self, path):
        kind = self.random.choice(['gz', 'zst', 'bz2'])
        with open(path, 'rb') as file:
            data = compress(kind, file.read())
        unfinished = f'{path}.{kind}.tmp' if self.random.random() < 0.5 else f'{path}.{kind}'
        with open(unfinished, 'wb', buffering=0) as file:
            file.write(data[:len(data) // 2])
            file.write(data[len(data) // 2:])
        if unfinished != f'{path}.{kind}':
            os.rename(unfinished, f'{path}.{kind}')
        os.unlink(path)

    def replace(self):
        """sed -i, vim, rsync: a new file with the same lines, and more, takes the name. A copy of that one, whose
        original was gone before, counts as a file of its own unless the first copy was seen: so that is waited for."""
        temporary = self.world.log(f'.{self.name}.{self.random.randrange(10**6)}~')
        with open(temporary, 'wb') as file:
            file.write(self.content() + self.stream.take(5))
        os.rename(temporary, self.at)
        self.delivered()

    def move_across(self):
        """mv to another device: a copy, then the original is deleted."""
        shutil.copyfile(self.at, self.next_name())
        os.unlink(self.at)
        self.append()

    def out_and_back(self):
        away = self.world.path(f'away.{self.name}')
        os.rename(self.at, away)
        with open(away, 'ab') as file:
            file.write(self.stream.take(4))
        os.rename(away, self.at)

    def hard_link(self):
        other = self.world.log(f'{self.name}.link.log')
        os.link(self.at, other)
        with open(other, 'ab') as file:
            file.write(self.stream.take(2))
        os.unlink(other)
        self.append()  # what came by a name that is gone is seen with the next change (guarantees.md)

    def preallocate(self):
        """Space behind the end that is not part of the size."""
        subprocess.run(['fallocate', '--keep-size', '--length', '4MiB', self.at], check=True)

    def touch(self):
        os.utime(self.at, (self.random.randrange(2 * 10**9),) * 2)
        os.chmod(self.at, self.random.choice([0o600, 0o644]))

    # These need that all was read before.

    def truncate(self):
        self.delivered()
        writer = open(self.at, 'r+b', buffering=0)
        writer.seek(0, os.SEEK_END)
        if self.random.random() < 0.5:
            os.truncate(self.at, 0)
        else:
            writer.truncate(0)
            writer.seek(0)
        writer.write(self.stream.take(8))  # behind a hole, when its offset stayed
        writer.close()
        self.delivered()  # in a copy that is made before anybody looked, the hole would be bytes like others

    def recreate(self):
        """Deleted and made anew: where the file system does so, with the same inode."""
        self.delivered()
        os.unlink(self.at)
        self.append()

    def expire(self):
        """Rotated files go for good."""
        self.write_late()
        self.delivered()
        for name in os.listdir(self.world.path('logs')):
            if name.startswith(f'{self.name}.log') and self.world.log(name) != self.at:
                os.unlink(self.world.log(name))

    def delivered(self):
        """And acknowledged for good: a checkpoint is durable within 1 s, so that a kill -9 asks for nothing again."""
        assert self.world.agents[-1].running()
        self.world.expect_complete(self.stream.expected, reordering=True, seconds=20)
        time.sleep(1.2)


OPERATIONS = [Log.append] * 6 + [
    Log.rename, Log.write_late, Log.copytruncate, Log.copytruncate_with_lines_between, Log.compress,
    Log.move_across, Log.out_and_back, Log.hard_link, Log.preallocate, Log.touch]
OPERATIONS_WHEN_READ = [Log.replace, Log.truncate, Log.recreate, Log.expire]


def mistreat(world, seed, seconds, mode=None, logs=3):
    """Mistreats `logs` files for `seconds` with an agent that is stopped, killed, halted and reloaded meanwhile, and
    checks that every line came once. Returns what was done, by name, and the lines of each stream."""
    chosen = random.Random(seed)
    world.config(include=[world.log('*.log*')], read_mode=mode or chosen.choice(['pread', 'mmap', 'io_uring']),
                 **({'file_rate_limit': '300KB'} if chosen.random() < 0.3 else {}),
                 **({'close_inactive': '1s'} if chosen.random() < 0.2 else {}),
                 top={'max_open_files': chosen.choice([1024, 4])}, rotate_wait='5s')
    logs = [Log(world, chosen, n) for n in range(logs)]
    done, trace = {}, []
    agent = world.start()
    halted = False

    def note(what):
        done[what] = done.get(what, 0) + 1
        trace.append(what)

    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            log = chosen.choice(logs)
            kind = chosen.random()
            if kind < 0.06:
                if halted:
                    os.kill(agent.pid, signal.SIGCONT)
                    halted = False
                how = chosen.choice(['kill', 'stop'])
                if how == 'kill':
                    agent.kill()
                else:
                    assert agent.stop() == 0
                note(how)
                for _ in range(chosen.randrange(4)):
                    one = chosen.choice(logs)
                    operation = chosen.choice([Log.append, Log.rename, Log.copytruncate, Log.compress])
                    operation(one)
                    note(f'{operation.__name__} of {one.name} while down')
                agent = world.start()
            elif kind < 0.12:
                os.kill(agent.pid, signal.SIGCONT if halted else signal.SIGSTOP)
                note('go on' if halted else 'halt')
                halted = not halted
            elif kind < 0.15 and not halted:
                agent.reload()
                note('reload')
            else:
                operation = chosen.choice(OPERATIONS if halted or kind < 0.92 else OPERATIONS_WHEN_READ)
                operation(log)
                note(f'{operation.__name__} of {log.name}')
            if chosen.random() < 0.5:
                time.sleep(chosen.random() * 0.1)
        if halted:
            os.kill(agent.pid, signal.SIGCONT)
        for log in logs:
            log.write_late()
        streams = {log.name: log.stream.taken for log in logs}
        world.expect_complete(streams, reordering=True, seconds=60)
        assert agent.stop() == 0
        world.run_to_end()  # what was still held as a possible copy
        world.expect_complete(streams, reordering=True)
    except BaseException:
        if halted and agent.running():
            os.kill(agent.pid, signal.SIGCONT)
        print(f'seed {seed}: ' + ', '.join(trace[-40:]), file=sys.stderr)
        raise
    return done, streams


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--seed', type=int, default=int(time.time()))
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--mode', choices=['pread', 'mmap', 'io_uring'])
    parser.add_argument('--keep', action='store_true', help='leave the directory')
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix='mistreat-')
    world = World(directory)
    try:
        done, streams = mistreat(world, options.seed, options.seconds, options.mode)
        print(f'seed {options.seed}: {sum(done.values())} things done, {sum(streams.values())} lines, each came once')
    finally:
        world.close()
        if not options.keep:
            shutil.rmtree(directory)


if __name__ == '__main__':
    main()
