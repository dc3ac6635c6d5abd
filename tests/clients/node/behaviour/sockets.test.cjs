'use strict';

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { once } = require('node:events');
const { pipeline } = require('node:stream/promises');
const { Readable, Writable } = require('node:stream');
const { test } = require('node:test');
const { closed, listening, net, pair } = require('./net.cjs');

const MIB = 1 << 20;

test('state in the same tick', async () => {
  const server = net.createServer((accepted) => accepted.resume());
  server.listen(0);
  assert.ok(server.listening && server.address().port > 0);
  const socket = net.connect(server.address().port);
  assert.deepEqual([socket.connecting, socket.pending, socket.readyState, socket.destroyed], [true, true, 'opening', false]);
  socket.write('12345');
  assert.deepEqual([socket.bytesWritten, socket.remoteAddress, socket.address()], [5, undefined, {}]);
  await once(socket, 'connect');
  assert.deepEqual([socket.connecting, socket.pending, socket.readyState], [false, false, 'open']);
  assert.equal(socket.remotePort, server.address().port);
  socket.destroy();
  assert.deepEqual([socket.destroyed, socket.readyState, socket.bytesWritten], [true, 'closed', 5]);
  server.close();
  assert.deepEqual([server.listening, server.address()], [false, null]);
  await once(server, 'close');
});

test('callbacks and events come in order', async () => {
  const seen = [];
  const server = await listening((socket) => socket.end('bye').resume());
  const socket = net.connect(server.address().port, '127.0.0.1', () => seen.push('callback'));
  for (const event of ['connect', 'ready', 'data', 'end', 'finish', 'close'])
    socket.on(event, () => seen.push(event));
  socket.end('hello', () => seen.push('ended'));
  await once(socket, 'close');
  assert.deepEqual(seen.filter((event) => !['ended', 'finish'].includes(event)), ['callback', 'connect', 'ready', 'data', 'end', 'close']);
  assert.ok(seen.indexOf('ended') < seen.indexOf('finish') && seen.indexOf('finish') < seen.indexOf('close'));
  server.close();
});

test('a pipeline of 64 MiB each way', async () => {
  const server = await listening((socket) => socket.pipe(socket), { allowHalfOpen: true });
  const socket = net.connect(server.address().port, '127.0.0.1');
  const piece = Buffer.from(Array.from({ length: MIB }, (_, i) => i % 251));
  let received = 0;
  const source = Readable.from(function* () {
    for (let i = 0; i < 64; i++)
      yield piece;
  }());
  const sink = new Writable({ write(chunk, encoding, callback) {
    const start = received % MIB;
    const expected = Buffer.concat([piece, piece]).subarray(start, start + chunk.length);
    received += chunk.length;
    callback(chunk.equals(expected) ? null : new Error(`something else at ${received}`));
  } });
  await Promise.all([pipeline(source, socket, { end: true }), pipeline(socket, sink)]);
  assert.equal(received, 64 * MIB);
  server.close();
});

test('who does not read stops who writes, and memory', async () => {
  const [client, accepted] = await pair();
  accepted.pause();
  const piece = Buffer.alloc(MIB);
  let waiting = false;
  while (!waiting)
    waiting = !client.write(piece) && client.writableLength > 32 * MIB;
  assert.ok(client.writableNeedDrain);
  let drained = false;
  client.on('drain', () => { drained = true; });
  for (let i = 0; i < 20; i++)
    await new Promise(setImmediate);
  assert.ok(!drained && accepted.bytesRead < 16 * MIB);
  const total = client.bytesWritten;
  client.end();
  let got = 0;
  for await (const chunk of accepted)
    got += chunk.length;
  assert.equal(got, total);
  await closed(client, accepted);
});

test('many peers that do not read hold up nobody else', async () => {
  const stuck = await Promise.all(Array.from({ length: 100 }, () => pair()));
  for (const [client, accepted] of stuck) {
    accepted.pause();
    client.write(Buffer.alloc(8 * MIB));
  }
  const [client, accepted] = await pair();
  client.end(Buffer.alloc(MIB, 'x'));
  let got = 0;
  for await (const chunk of accepted)
    got += chunk.length;
  assert.equal(got, MIB);
  for (const sockets of stuck)
    sockets.slice(0, 2).forEach((socket) => socket.on('error', () => {}).destroy());
  await Promise.all(stuck.map((sockets) => closed(...sockets.slice(0, 2))));
});

test('what was called back is not lost by destroy', async () => {
  const [client, accepted] = await pair();
  client.write(Buffer.alloc(100_000, 'x'), () => client.destroy());
  let got = 0;
  for await (const chunk of accepted)
    got += chunk.length;
  assert.equal(got, 100_000);
  await closed(client);
});

test('a buffer may be used again once its write was called back', async () => {
  const [client, accepted] = await pair();
  const buffer = Buffer.alloc(40_000);
  const writing = (async () => {
    for (let i = 0; i < 50; i++) {
      buffer.fill(i);
      await new Promise((resolve) => client.write(buffer, resolve));
      buffer.fill(255);
    }
    client.end();
  })();
  let at = 0;
  for await (const chunk of accepted) {
    for (const byte of chunk)
      assert.equal(byte, Math.floor(at++ / buffer.length));
  }
  await writing;
  assert.equal(at, 50 * buffer.length);
});

test('cork and uncork', async () => {
  const [client, accepted] = await pair();
  client.cork();
  for (const word of ['a', 'ä', Buffer.from('b'), 'YWJj'])
    client.write(word, typeof word === 'string' && word.length > 2 ? 'base64' : undefined);
  assert.equal(client.bytesWritten, 1 + 2 + 1 + 3);
  client.uncork();
  client.end();
  let got = '';
  for await (const chunk of accepted.setEncoding('utf8'))
    got += chunk;
  assert.equal(got, 'aäbabc');
});

test('writes in all encodings', async () => {
  const [client, accepted] = await pair();
  const words = [['äö', 'latin1'], ['äö', 'utf16le'], ['6869', 'hex'], ['aGk_', 'base64url'], ['hi', 'ascii'], ['ä', 'utf8']];
  for (const [text, encoding] of words)
    client.write(text, encoding);
  client.end();
  assert.deepEqual(Buffer.concat(await accepted.toArray()), Buffer.concat(words.map(([text, encoding]) => Buffer.from(text, encoding))));
});

test('async iteration that is left closes the socket', async () => {
  const [client, accepted] = await pair();
  accepted.on('error', () => {});
  accepted.write('x');
  for await (const chunk of client) {
    assert.equal(String(chunk), 'x');
    break;
  }
  assert.ok(client.destroyed);
  accepted.destroy();
  await closed(client, accepted);
});

test('onread fills one buffer, and a false stops', async () => {
  const buffer = Buffer.alloc(4);
  const seen = [];
  const [client, accepted] = await pair({ onread: { buffer, callback(count, filled) {
    assert.equal(filled, buffer);
    seen.push(String(filled.subarray(0, count)));
    return true;
  } } });
  accepted.end('0123456789');
  client.on('data', assert.fail);
  await closed(client, accepted);
  assert.equal(seen.join(''), '0123456789');
  assert.ok(seen.every((text) => text.length <= 4));
});

test('onread stops in the middle of what has come', async () => {
  for (const stop of [(socket) => void socket.pause(), () => false]) {
    const seen = [];
    let paused = false;
    const [client, accepted] = await pair({ onread: { buffer: Buffer.alloc(4), callback(count, filled) {
      assert.ok(!paused);
      seen.push(String(filled.subarray(0, count)));
      paused = true;
      setImmediate(() => {
        paused = false;
        this.resume();
      });
      return stop(this);
    } } });
    accepted.end('0123456789');
    await closed(client, accepted);
    assert.deepEqual(seen, ['0123', '4567', '89']);
  }
});

test('onread asks for buffers', async () => {
  let made = 0;
  const seen = [];
  const [client, accepted] = await pair({ onread: { buffer: () => (made++, Buffer.alloc(3)), callback: (count, filled) => {
    seen.push(filled.subarray(0, count));
    return true;
  } } });
  accepted.end('0123456789');
  await closed(client, accepted);
  assert.equal(String(Buffer.concat(seen)), '0123456789');
  assert.equal(made, seen.length + 1); // one is ready for the next read
});

test('onread with no room is an error', async () => {
  const [client, accepted] = await pair({ onread: { buffer: Buffer.alloc(0), callback: assert.fail } });
  accepted.write('something');
  const [error] = await once(client, 'error');
  assert.equal(error.message, 'read ENOBUFS');
  accepted.destroy();
  await closed(accepted);
});

test('a connect too many concerns one socket only', async () => {
  const [other, peer] = await pair();
  const server = await listening((socket) => socket.on('error', () => {}).resume());
  const where = { port: server.address().port, host: '127.0.0.1' };
  const twice = net.connect(where);
  twice.connect(where);
  const [error] = await once(twice, 'error');
  assert.equal(error.code, 'EALREADY');
  const lookup = (name, options, callback) => {
    for (let i = 0; i < 2; i++)
      callback(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
  };
  const [again] = await once(net.connect({ ...where, host: 'name', lookup }), 'error');
  assert.equal(again.code, 'EALREADY');
  const open = net.connect(where);
  await once(open, 'connect');
  assert.throws(() => open.connect({ port: 99999 }), { code: 'ERR_SOCKET_BAD_PORT' });
  open.connect(where);
  await once(open, 'connect');
  open.end();
  other.write('still there');
  assert.equal(String((await once(peer, 'data'))[0]), 'still there');
  other.destroy();
  await closed(open, other, peer);
  server.close();
});

test('an error is told before the end', async () => {
  for (const options of [{ port: 1 }, { port: 1, localAddress: '192.0.2.1' }]) {
    const socket = net.connect({ host: '127.0.0.1', ...options });
    const seen = [];
    socket.on('error', () => seen.push('error'));
    await new Promise((resolve) => { socket.on('close', resolve); });
    assert.deepEqual(seen, ['error']);
  }
});

test('callbacks run for who asked', async () => {
  const storage = new AsyncLocalStorage();
  const [client, accepted] = await storage.run('connect', () => pair());
  accepted.on('end', () => accepted.end());
  const written = storage.run('write', () => new Promise((resolve) => {
    client.write(Buffer.alloc(4 * MIB), () => resolve(storage.getStore()));
  }));
  accepted.resume();
  assert.equal(await written, 'write');
  const ended = await storage.run('end', () => new Promise((resolve) => { client.end(() => resolve(storage.getStore())); }));
  assert.equal(ended, 'end');
  client.resume();
  await closed(client, accepted);
  const failed = storage.run('refused', () => new Promise((resolve) => {
    net.connect({ host: '127.0.0.1', port: 1, localAddress: '192.0.2.1' }).on('error', () => resolve(storage.getStore()));
  }));
  assert.equal(await failed, 'refused');
});

test('a timeout is told, and put off by traffic', async () => {
  const [client, accepted] = await pair();
  client.setTimeout(50);
  assert.equal(client.timeout, 50);
  await once(client, 'timeout');
  assert.ok(!client.destroyed);
  client.setTimeout(0);
  client.destroy();
  accepted.destroy();
  await closed(client, accepted);
});

test('a socket that is destroyed has no timer', async () => {
  const [client, accepted] = await pair();
  client.setTimeout(1e9);
  const timer = client[Object.getOwnPropertySymbols(client).find(({ description }) => description === 'timeout')];
  assert.ok(timer && !timer._destroyed);
  client.destroy();
  assert.ok(timer._destroyed);
  assert.equal(client.timeout, 1e9);
  accepted.destroy();
  await closed(client, accepted);
});

test('who goes away with data unread is an error to who writes', async () => {
  const [client, accepted] = await pair();
  client.destroy();
  accepted.write(Buffer.alloc(10 * MIB));
  const errors = [];
  accepted.on('error', ({ code }) => errors.push(code));
  const hadError = await new Promise((resolve) => { accepted.on('close', resolve); });
  assert.ok(hadError && ['EPIPE', 'ECONNRESET'].includes(errors.join()), errors.join());
});

test('half-open on request only', async () => {
  const [client, accepted] = await pair({ allowHalfOpen: true });
  accepted.resume().end('first');
  client.resume();
  await once(client, 'end');
  assert.deepEqual([client.readyState, client.writable], ['writeOnly', true]);
  client.end('last');
  await closed(client, accepted);

  const [other, peer] = await pair();
  peer.resume().end();
  other.resume();
  await closed(other, peer);
  assert.ok(other.writableFinished);
});

test('a signal aborts', async () => {
  const server = await listening((socket) => socket.on('error', () => {}));
  const controller = new AbortController();
  const socket = net.connect({ port: server.address().port, host: '127.0.0.1', signal: controller.signal });
  await once(socket, 'connect');
  controller.abort();
  const [error] = await once(socket, 'error');
  assert.equal(error.name, 'AbortError');
  const early = net.connect({ port: server.address().port, host: '127.0.0.1', signal: AbortSignal.abort() });
  assert.equal((await once(early, 'error'))[0].code, 'ABORT_ERR');
  server.close();
});

test('a socket connects again', async () => {
  const server = await listening((socket) => socket.end('hello'));
  const socket = new net.Socket();
  for (let turn = 0; turn < 3; turn++) {
    socket.connect(server.address().port, '127.0.0.1');
    let got = '';
    socket.removeAllListeners('data').on('data', (chunk) => { got += chunk; });
    await once(socket, 'close');
    assert.deepEqual([got, socket.bytesRead], ['hello', 5]);
  }
  server.close();
});

test('destroyed in every state', async () => {
  const server = await listening((socket) => socket.on('error', () => {}).resume());
  const port = server.address().port;
  const never = new net.Socket();
  never.destroy();
  await once(never, 'close');
  const connecting = net.connect(port, '127.0.0.1');
  connecting.destroy();
  await once(connecting, 'close');
  const open = net.connect(port, '127.0.0.1');
  await once(open, 'connect');
  open.destroy(new Error('mine'));
  assert.equal((await once(open, 'error'))[0].message, 'mine');
  const ending = net.connect(port, '127.0.0.1').end('x');
  await once(ending, 'finish');
  ending.destroy();
  assert.equal(ending.destroy(), ending);
  await once(ending, 'close');
  await assert.rejects(new Promise((resolve, reject) => ending.write('x', (error) => (error ? reject(error) : resolve()))),
    { code: 'ERR_STREAM_WRITE_AFTER_END' });
  server.close();
});

test('errors of connections', async () => {
  const server = await listening();
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  const [error] = await once(net.connect(port, '127.0.0.1'), 'error');
  assert.deepEqual({ ...error, message: error.message }, { errno: -111, code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port,
    message: `connect ECONNREFUSED 127.0.0.1:${port}` });
  const [client, accepted] = await pair();
  accepted.resetAndDestroy();
  assert.equal((await once(client, 'error'))[0].code, 'ECONNRESET');
});

test('thousands of connections, one after the other, leave nothing', async () => {
  const server = await listening((socket) => socket.end('x'));
  const { port } = server.address();
  const cycle = async () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
  };
  for (let i = 0; i < 500; i++)
    await cycle();
  global.gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 3000; i++)
    await cycle();
  global.gc();
  assert.ok(process.memoryUsage().heapUsed - before < 2 * MIB);
  server.close();
});

test('lookup is the program\'s own', async () => {
  const server = await listening((socket) => socket.end());
  const asked = [];
  const socket = net.connect({ port: server.address().port, host: 'no.such.host', lookup(host, options, callback) {
    asked.push([host, options.hints]);
    setImmediate(callback, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
  } });
  const looked = once(socket, 'lookup');
  await once(socket.resume(), 'close');
  assert.deepEqual([asked.length, asked[0][0]], [1, 'no.such.host']);
  assert.deepEqual(await looked, [null, '127.0.0.1', 4, 'no.such.host']);
  const failing = net.connect({ port: 1, host: 'no.such.host', lookup: (host, options, callback) => callback(new Error('mine')) });
  assert.equal((await once(failing, 'error'))[0].message, 'mine');
  server.close();
});
