"""nginx under load, rotated by logrotate, shipped to Kafka: every request that nginx answered is in the topic.

nginx writes a unique id with each request; wrk asks; logrotate (create or copytruncate, with compress) rotates
the access log; kcat reads the topic. The truth is what nginx wrote: the access log, its rotated copies and
archives, whose number of lines is checked against nginx's own counter.
"""
import collections
import glob
import gzip
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
import uuid

import pytest

from harness import SLOW, until
from kafka.broker import free_ports

LOAD_SECONDS = 12
ROTATIONS = 4


class Nginx:
    """A private nginx: its own directory, port and access log."""

    def __init__(self, directory):
        self.dir = str(directory)
        self.port = free_ports(1)[0]
        self.access_log = os.path.join(self.dir, 'logs', 'access.log')
        self.own_requests = 0
        os.makedirs(os.path.dirname(self.access_log))
        temp = ''.join(f'{kind}_temp_path {self.dir}/{kind}; '
                       for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        user = 'user root;' if os.getuid() == 0 else ''
        self.config = os.path.join(self.dir, 'nginx.conf')
        with open(self.config, 'w') as file:
            file.write(f'''
                {user} daemon off; worker_processes 2; pid {self.dir}/nginx.pid; error_log {self.dir}/error.log;
                events {{ worker_connections 256; }}
                http {{
                  {temp}
                  log_format ids '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent '
                                 '"$http_referer" "$http_user_agent" $request_id';
                  server {{
                    listen 127.0.0.1:{self.port};
                    access_log {self.access_log} ids;
                    location / {{ return 200 "ok\\n"; }}
                    location /missing {{ return 404; }}
                    location = /status {{ stub_status; access_log off; }}
                  }}
                }}''')
        self.process = subprocess.Popen(['nginx', '-p', self.dir, '-e', f'{self.dir}/error.log', '-c', self.config],
                                        stdin=subprocess.DEVNULL)
        until(self._answers, 'nginx answers')

    def _answers(self):
        try:
            return self.requests() == 0
        except OSError:
            return False

    def requests(self):
        """How many requests it has answered, without those asked here."""
        with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/status', timeout=5 * SLOW) as answer:
            text = answer.read().decode()
        self.own_requests += 1
        return int(re.search(r'\n\s*\d+ \d+ (\d+)', text)[1]) - self.own_requests

    def files(self):
        return sorted(glob.glob(self.access_log + '*'))

    def lines(self):
        """All it has written, as the files hold it now."""
        lines = []
        for path in self.files():
            opener = gzip.open if path.endswith('.gz') else open
            with opener(path, 'rb') as file:
                lines += file.read().splitlines()
        return lines

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Load:
    """wrk, which can be held for a moment."""

    def __init__(self, port, seconds):
        self.process = subprocess.Popen(
            ['wrk', '-t', '1', '-c', '8', '-d', f'{seconds}s', f'http://127.0.0.1:{port}/index?user=1'],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def hold(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def wait(self):
        assert self.process.wait(120 * SLOW) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Logrotate:
    def __init__(self, nginx, how):
        self.nginx, self.how, self.dir = nginx, how, nginx.dir
        owner = 'root root' if os.getuid() == 0 else ''
        reopen = f'postrotate\n kill -USR1 $(cat {nginx.dir}/nginx.pid)\n endscript'
        # As Debian's own nginx configuration: workers may write to the old file for a moment after USR1, so
        # that it is compressed one rotation later. A copy is complete at once.
        how_lines = f'create 0644 {owner}\n delaycompress\n {reopen}' if how == 'create' else 'copytruncate'
        self.config = os.path.join(self.dir, 'logrotate.conf')
        with open(self.config, 'w') as file:
            file.write(f'{nginx.access_log} {{\n rotate 50\n missingok\n compress\n {how_lines}\n}}\n')
        os.chmod(self.config, 0o644)

    def rotate(self, load):
        if self.how == 'copytruncate':
            # Whatever is written between the copy and the truncation is lost before any agent could see it:
            # so nothing is written in that moment. The agent may be anywhere in the file.
            load.hold()
            self._quiet()
        try:
            done = subprocess.run(['logrotate', '--force', '--state', os.path.join(self.dir, 'state'), self.config],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW,
                                  env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
        finally:
            load.go_on()
        assert done.returncode == 0, done.stderr

    def _quiet(self):
        def unchanged():
            before = os.path.getsize(self.nginx.access_log)
            time.sleep(0.1)
            return os.path.getsize(self.nginx.access_log) == before
        until(unchanged, 'nginx has written what it answered')


@pytest.fixture
def nginx(tmp_path):
    for tool in ('nginx', 'wrk', 'logrotate', 'kcat'):
        assert shutil.which(tool, path=os.environ['PATH'] + ':/usr/sbin'), f'{tool} is not installed'
    nginx = Nginx(tmp_path / 'nginx')
    yield nginx
    nginx.close()


@pytest.mark.parametrize('disturbance', ['nothing', 'agent_killed', 'broker_restarted'])
@pytest.mark.parametrize('rotation', ['create', 'copytruncate'])
def test_every_request_that_nginx_answered_is_in_kafka(world, broker, nginx, rotation, disturbance):
    topic = f'access-{uuid.uuid4().hex[:12]}'
    broker.create_topic(topic)
    world.config(include=[nginx.access_log + '*'],
                 sinks={'bus': {'type': 'kafka', 'bootstrap_servers': broker.address(), 'topic': topic,
                                'encoding': 'raw', 'compression': 'snappy'}})
    agent = world.start()
    load = Load(nginx.port, LOAD_SECONDS)
    world.closers.append(load.close)
    logrotate = Logrotate(nginx, rotation)
    for n in range(ROTATIONS):
        time.sleep(LOAD_SECONDS / (ROTATIONS + 1))
        logrotate.rotate(load)
        if n == 1 and disturbance == 'agent_killed':
            agent.kill()
            time.sleep(1)
            agent = world.start()
        if n == 1 and disturbance == 'broker_restarted':
            broker.restart()
    load.wait()
    written = nginx.lines()
    assert len(written) == nginx.requests(), 'the files hold every request'
    assert len(written) > 10000 / SLOW and len(nginx.files()) == ROTATIONS + 1
    until(lambda: broker.message_count(topic) >= len(written),
          lambda: f'{len(written)} requests in {topic}, there are {broker.message_count(topic)}', 60)
    assert agent.stop() == 0

    arrived = collections.Counter(broker.lines(topic))
    missing = [line for line in written if line not in arrived]
    unknown = arrived.keys() - set(written)
    repeated = sum(count - 1 for count in arrived.values())
    print(f'{len(written)} requests, {len(missing)} missing, {repeated} repeated, files {nginx.files()}')
    assert not missing, missing[:3]
    assert not unknown, list(unknown)[:3]
    if disturbance == 'nothing':
        assert repeated == 0
