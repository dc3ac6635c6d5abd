'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { test } = require('node:test');
const { closed, listening, net, pair } = require('./net.cjs');

test('connections beyond the maximum are dropped', async () => {
  const server = await listening((socket) => socket.resume());
  server.maxConnections = 1;
  const first = net.connect(server.address().port, '127.0.0.1');
  await once(first, 'connect');
  const dropping = once(server, 'drop');
  const second = net.connect(server.address().port, '127.0.0.1');
  second.on('error', () => {});
  const [data] = await dropping;
  assert.deepEqual([data.remoteAddress, data.localPort, data.remoteFamily], ['127.0.0.1', server.address().port, 'IPv4']);
  await closed(second);
  assert.equal(await new Promise((resolve) => server.getConnections((error, count) => resolve(count))), 1);
  server.close();
  first.destroy();
  await once(server, 'close');
});

test('close waits for connections', async () => {
  const [client, accepted, server] = await pair();
  let ended = false;
  server.on('close', () => { ended = true; });
  await new Promise(setImmediate);
  assert.ok(!ended);
  client.end();
  accepted.resume();
  await once(server, 'close');
});

test('close of what does not listen', async () => {
  const error = await new Promise((resolve) => net.createServer().close(resolve));
  assert.equal(error.code, 'ERR_SERVER_NOT_RUNNING');
});

test('two on one port, and one after the other', async () => {
  const first = await listening();
  const { port } = first.address();
  const second = net.createServer();
  second.listen(port, '127.0.0.1');
  const [error] = await once(second, 'error');
  assert.deepEqual([error.code, error.syscall, error.address, error.port], ['EADDRINUSE', 'listen', '127.0.0.1', port]);
  assert.throws(() => first.listen(0), { code: 'ERR_SERVER_ALREADY_LISTEN' });
  first.close();
  second.listen(port, '127.0.0.1');
  await once(second, 'listening');
  second.close();
});

test('pauseOnConnect reads nothing until it is resumed', async () => {
  const server = await listening(undefined, { pauseOnConnect: true });
  const accepting = once(server, 'connection');
  const client = net.connect(server.address().port, '127.0.0.1');
  client.end('hello');
  const [socket] = await accepting;
  assert.ok(socket.isPaused());
  const events = [];
  socket.on('data', (data) => events.push(String(data)));
  for (let i = 0; i < 10; i++)
    await new Promise(setImmediate);
  assert.deepEqual(events, []);
  socket.resume();
  await once(socket, 'end');
  assert.deepEqual(events, ['hello']);
  server.close();
});

test('paths are those of the program', async () => {
  const home = process.cwd();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nb-'));
  process.chdir(folder);
  try {
    const server = net.createServer((socket) => socket.end('here'));
    server.listen({ path: 'own.sock', readableAll: true, writableAll: true });
    assert.equal(server.address(), 'own.sock');
    assert.equal(fs.statSync('own.sock').mode & 0o666, 0o666);
    await once(server, 'listening');
    const socket = net.connect('own.sock');
    assert.equal(String((await once(socket, 'data'))[0]), 'here');
    server.close();
    assert.ok(!fs.existsSync('own.sock'));
    const [error] = await once(net.connect('./own.sock'), 'error');
    assert.deepEqual([error.code, error.address, error.message], ['ENOENT', './own.sock', 'connect ENOENT ./own.sock']);
    const wrong = net.createServer().listen('no/where');
    assert.equal((await once(wrong, 'error'))[0].message, 'listen EACCES: permission denied no/where');
  } finally {
    process.chdir(home);
    fs.rmSync(folder, { recursive: true });
  }
});

test('a block list keeps connections from being made', async () => {
  const blockList = new net.BlockList();
  blockList.addSubnet('127.0.0.0', 8);
  assert.ok(blockList.check('127.0.0.1') && !blockList.check('10.0.0.1'));
  assert.deepEqual(blockList.rules, ['Subnet: IPv4 127.0.0.0/8']);
  if (!process.env.NB_NET)
    return; // later than the Node that runs this
  const [error] = await once(net.connect({ port: 1, host: '127.0.0.1', blockList }), 'error');
  assert.equal(error.code, 'ERR_IP_BLOCKED');
  const server = await listening(assert.fail, { blockList });
  const dropping = once(server, 'drop');
  const socket = net.connect(server.address().port, '127.0.0.1').on('error', () => {});
  assert.equal((await dropping)[0].remoteAddress, '127.0.0.1');
  await closed(socket);
  server.close();
});

test('a signal closes a server', async () => {
  const controller = new AbortController();
  const server = net.createServer();
  server.listen({ port: 0, signal: controller.signal });
  await once(server, 'listening');
  controller.abort();
  await once(server, 'close');
});

test('rules that are added while a server listens hold', { skip: !process.env.NB_NET }, async () => {
  const blockList = new net.BlockList();
  const server = await listening((socket) => socket.end('in'), { blockList });
  const first = net.connect(server.address().port, '127.0.0.1');
  assert.equal(String((await once(first, 'data'))[0]), 'in');
  blockList.addAddress('127.0.0.1');
  const dropping = once(server, 'drop');
  const second = net.connect(server.address().port, '127.0.0.1').on('error', () => {});
  assert.equal((await dropping)[0].remoteAddress, '127.0.0.1');
  await closed(second);
  server.close();
});
