#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What metrics_test.sh asks of the TCP address: metrics_test.py COMMAND ADDRESS [WORDS]."""
import json
import socket
import subprocess
import sys
import time

import exposition

CONNECTIONS_MAX = 16
LIMIT_S = 5
REQUEST_BYTES_MAX = 4096


def connect(address):
    host, port = address.rsplit(':', 1)
    return socket.create_connection((host.strip('[]'), int(port)), timeout=20)


def ask(address, request):
    """(status, headers, body) of an answer; the connection ends after it."""
    with connect(address) as sock:
        sock.sendall(request)
        answer = b''
        while True:
            part = sock.recv(65536)
            if not part:
                break
            answer += part
    head, body = answer.split(b'\r\n\r\n', 1)
    lines = head.decode().split('\r\n')
    assert lines[0].startswith('HTTP/1.1 '), lines
    headers = dict(line.split(': ', 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


def get(address, path, method='GET'):
    status, headers, body = ask(address, f'{method} {path} HTTP/1.1\r\nHost: haul\r\n\r\n'.encode())
    assert method == 'HEAD' or int(headers['Content-Length']) == len(body), headers
    return status, headers, body


def stats(haulctl, path):
    output = subprocess.run([haulctl, '--socket', path, '--json', 'stats'], check=True, capture_output=True).stdout
    return {f"haul_{c['group']}_{c['name']}_total": c for c in json.loads(output)['counters']}


def values(address, haulctl, path):
    """Each counter is what haulctl tells: between what it told before and after."""
    before = stats(haulctl, path)
    status, headers, body = get(address, '/metrics')
    after = stats(haulctl, path)
    assert status == 200 and headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8', headers
    metrics = exposition.parse(body.decode())
    assert {name for name in metrics if name.endswith('_total')} == set(before), set(before) ^ set(metrics)
    for name, counter in before.items():
        found = sum(value for _, value in metrics[name]['samples'])
        assert int(counter['value']) <= found <= int(after[name]['value']), (name, counter, found)
        assert all(labels['node'] == 'a' for labels, _ in metrics[name]['samples'])
        assert counter['meaning'] in metrics[name]['help']
    assert [labels['worker'] for labels, _ in metrics['haul_worker_rounds_total']['samples']] == ['0', '1']
    assert metrics['haul_worker_rounds_total']['samples'][1][1] > 0
    for name in ('haul_dataplane_up', 'haul_redis_up', 'haul_node_published'):
        assert metrics[name]['samples'] == [({'node': 'a'}, 1)], metrics[name]
    print(f'ok: {len(metrics)} metrics, {len(before)} of them counters')


def refusals(address):
    for path in ('/', '/v1/status', '/v1/stats', '/metrics/', '/../metrics', '/healthz/x', '/%6detrics'):
        assert get(address, path)[0] == 404, path
    for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'get'):
        status, headers, _ = get(address, '/metrics', method)
        assert status == 405 and headers['Allow'] == 'GET, HEAD', method
    assert get(address, '/metrics?x=1')[0] == 200
    status, headers, body = get(address, '/metrics', 'HEAD')
    assert status == 200 and int(headers['Content-Length']) > 1000 and body == b''
    for request in (b'\r\n\r\n', b'GET\r\n\r\n', b'GET /metrics\r\n\r\n', b'GET /metrics HTTP/2\r\n\r\n', b' / HTTP/1.1\r\n\r\n',
                    b'GET /metrics HTTP/1.1 x\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\r\n\r\n', b'\0' * 100 + b'\r\n\r\n'):
        assert ask(address, request)[0] == 400, request
    assert ask(address, (b'GET /metrics HTTP/1.1\r\nX: ').ljust(REQUEST_BYTES_MAX, b'x'))[0] == 431
    print('ok: refusals')


def loris(address):
    """Those that trickle neither hold a place for long nor keep others out."""
    started = time.monotonic()
    slow = [connect(address) for _ in range(3 * CONNECTIONS_MAX)]
    for sock in slow:
        sock.setblocking(False)
    ends = 0
    while slow and time.monotonic() < started + 4 * LIMIT_S:
        for sock in list(slow):
            try:
                sock.send(b'G')
                if sock.recv(1) == b'':
                    raise ConnectionResetError
            except BlockingIOError:
                continue
            except OSError:
                sock.close()
                slow.remove(sock)
                ends += 1
        assert get(address, '/healthz')[0] == 200
        if ends < 2 * CONNECTIONS_MAX:
            assert time.monotonic() < started + LIMIT_S
        time.sleep(0.1)
    assert not slow, f'{len(slow)} connections are open after {time.monotonic() - started:.1f} s'
    print(f'ok: {ends} slow connections were ended in {time.monotonic() - started:.1f} s')


def health(address, wanted, part, reason):
    status, headers, body = get(address, '/healthz')
    found = json.loads(body)
    assert status == int(wanted) and headers['Content-Type'] == 'application/json', (status, body)
    assert found['ok'] == (status == 200), found
    if part:
        assert found[part] is False and reason in found['reason'], found
    print(f'ok: {status} {body.decode().strip()}')


if __name__ == '__main__':
    {'values': values, 'refusals': refusals, 'loris': loris, 'health': health}[sys.argv[1]](*sys.argv[2:])
