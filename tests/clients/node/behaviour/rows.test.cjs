'use strict';

// The rows of the checklist that are the client's alone (tests/conformance/checklist.md), each by its id.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { test } = require('node:test');
const { inspect } = require('node:util');
const { closed, listening, net, pair } = require('./net.cjs');

const collect = async (socket) => Buffer.concat(await socket.toArray()).toString();

// A server that says where it listens, by port or path, and hears what each client sends.
async function hearing(where) {
  const heard = [];
  const server = net.createServer((socket) => socket.on('data', (data) => heard.push(String(data))).on('error', () => {}));
  server.listen(...where);
  await once(server, 'listening');
  return { server, heard, at: server.address() };
}

function inFolder(run) {
  return async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nb-'));
    try {
      await run(path.join(folder, 'socket'));
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };
}

async function finish(server, ...sockets) {
  for (const socket of sockets)
    socket.destroy();
  server.close();
  await once(server, 'close');
}

test('MOD-02: what the module exports', () => {
  for (const name of ['BlockList', 'SocketAddress', 'Server', 'Socket', 'connect', 'createConnection', 'createServer', 'isIP', 'isIPv4', 'isIPv6'])
    assert.equal(typeof net[name], 'function', name);
  assert.equal(net.Stream, net.Socket);
});

test('_connectionKey tells what a server listens on', async () => {
  for (const [args, key] of [[[0, '127.0.0.1'], '4:127.0.0.1:0'], [[0, '::1'], '6:::1:0'], [[0], '6::::0']]) {
    const server = net.createServer().listen(...args);
    await once(server, 'listening');
    assert.equal(server._connectionKey, key);
    server.close();
  }
});

test('an error tells the ends that were asked for', async () => {
  const reserved = net.createServer().listen(0, '127.0.0.1');
  await once(reserved, 'listening');
  const localPort = reserved.address().port;
  reserved.close();
  await once(reserved, 'close');
  const [error] = await once(net.connect({ host: '127.0.0.1', port: 1, localAddress: '127.0.0.2', localPort }), 'error');
  assert.deepEqual([error.message, error.localAddress, error.localPort],
    [`connect ECONNREFUSED 127.0.0.1:1 - Local (127.0.0.2:${localPort})`, '127.0.0.2', localPort]);
});

test('connect takes an array for arguments only if Node has made it', () => {
  assert.throws(() => new net.Socket().connect([{ port: 1 }, assert.fail]), { code: 'ERR_MISSING_ARGS' });
});

test('MOD-03: constructors without new', () => {
  assert.ok(net.Server() instanceof net.Server && net.Socket() instanceof net.Socket);
});

test('IPC-16: a backslash in a path is a byte of the name', inFolder(async (file) => {
  const name = `${file}\\x`;
  assert.equal(name.length, file.length + 2);
  const { server } = await hearing([name]);
  assert.ok(fs.existsSync(name));
  await finish(server);
}));

test('BL-04: addresses as text and as SocketAddress', () => {
  const list = new net.BlockList();
  const address = (text, family = 'ipv4') => new net.SocketAddress({ address: text, family });
  list.addAddress(address('1.1.1.1'));
  list.addRange(address('2.0.0.1'), address('2.0.0.9'));
  list.addSubnet(address('2001:db8::', 'ipv6'), 64);
  for (const blocked of ['1.1.1.1', '2.0.0.5'])
    assert.ok(list.check(blocked) && list.check(address(blocked)));
  assert.ok(list.check(address('2001:db8::5', 'ipv6')) && !list.check(address('3.0.0.0')));
});

test('SA-09: a SocketAddress as JSON', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(new net.SocketAddress({ address: '::1', family: 'ipv6', port: 5, flowlabel: 7 }))),
    { address: '::1', port: 5, family: 'ipv6', flowlabel: 7 });
  assert.match(inspect(new net.SocketAddress()), /^SocketAddress \{ address: '127\.0\.0\.1'/);
});

test('SRV-03 NF-19: the connection listener', async () => {
  const listener = () => {};
  assert.deepEqual(new net.Server(listener).listeners('connection'), [listener]);
  assert.deepEqual(net.createServer({}, listener).listeners('connection'), [listener]);
});

test('SRV-04: options of a server that are none', () => {
  for (const options of ['text', 5, true])
    assert.throws(() => new net.Server(options), { code: 'ERR_INVALID_ARG_TYPE', name: 'TypeError' });
});

test('SRV-20 SRV-22: close calls back once, and gives the server', async () => {
  const server = await listening();
  let calls = 0;
  assert.equal(server.close(() => { calls++; }), server);
  await once(server, 'close');
  server.emit('close');
  assert.equal(calls, 1);
});

test('SRV-25: getConnections', async () => {
  const server = await listening();
  assert.equal(server.getConnections(() => {}), server);
  assert.throws(() => server.getConnections(), { code: 'ERR_INVALID_ARG_TYPE' });
  await finish(server);
  assert.equal(await new Promise((resolve) => server.getConnections((error, count) => resolve(count))), 0);
});

test('SRV-30 SRV-31: ref and unref of a server give it back, again and again', async () => {
  const server = await listening();
  assert.equal(server.unref().unref().ref().ref(), server);
  await finish(server);
});

test('LST-02 LST-04 LST-05: the forms of listen', inFolder(async (file) => {
  const forms = [[], [0], [0, '127.0.0.1'], [0, '127.0.0.1', 5], [0, 5], [null], [file], [file, 5], [{ port: 0 }], [{ path: file }], [{ port: 0, host: '127.0.0.1' }]];
  for (const form of forms) {
    const server = net.createServer();
    const heard = new Promise((resolve) => {
      assert.equal(server.listen(...form, function () { resolve(this); }), server);
    });
    assert.equal(await heard, server);
    assert.equal(typeof server.address(), form[0] === file || form[0]?.path ? 'string' : 'object');
    await finish(server);
  }
}));

test('LST-30: a signal that is none', () => {
  assert.throws(() => net.createServer().listen({ port: 0, signal: 'INVALID_SIGNAL' }), { code: 'ERR_INVALID_ARG_TYPE' });
});

test('SOK-11: objectMode is refused', () => {
  for (const name of ['objectMode', 'readableObjectMode', 'writableObjectMode'])
    assert.throws(() => new net.Socket({ [name]: true }), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('SOK-12: a new socket', () => {
  const socket = new net.Socket();
  assert.deepEqual([socket.pending, socket.connecting, socket.readyState, socket.bytesRead, socket.bytesWritten], [true, false, 'open', 0, 0]);
  assert.deepEqual([socket.remoteAddress, socket.localPort, socket.timeout, socket.address()], [undefined, undefined, undefined, {}]);
});

test('CN-01 CN-02 CN-05 CN-07 CN-26 CN-27: the forms of connect', inFolder(async (file) => {
  for (const where of [[0, '127.0.0.1'], [file]]) {
    const { server, at } = await hearing(where);
    const forms = at === file ? [[file], [{ path: file }]] : [[at.port, '127.0.0.1'], [{ port: at.port, host: '127.0.0.1' }], [String(at.port), '127.0.0.1']];
    for (const form of forms) {
      const socket = new net.Socket();
      let calls = 0;
      assert.equal(socket.connect(...form, () => { calls++; }), socket);
      await once(socket, 'connect');
      socket.emit('connect');
      assert.equal(calls, 1);
      socket.destroy();
    }
    server.close();
  }
}));

test('NF-01 NF-02 NF-03 NF-04 NF-06 NF-07 NF-09 NF-10: connect and createConnection', inFolder(async (file) => {
  for (const connect of [net.connect, net.createConnection]) {
    for (const where of [[0], [file]]) {
      const { server, at } = await hearing(where);
      const forms = at === file ? [[file], [{ path: file }]] : [[at.port], [at.port, 'localhost'], [{ port: at.port, highWaterMark: 5 }]];
      for (const form of forms) {
        const socket = await new Promise((resolve) => {
          const made = connect(...form, () => resolve(made));
        });
        assert.equal(socket.readableHighWaterMark, form[0].highWaterMark ?? net.Socket().readableHighWaterMark);
        socket.destroy();
      }
      server.close();
    }
  }
}));

test('CN-20 CN-21 CN-22 CN-23 CN-25: onread', async () => {
  for (const buffer of [Buffer.alloc(3), () => Buffer.alloc(3)]) {
    const seen = [];
    let context;
    const [client, accepted] = await pair({ onread: { buffer, callback: function callback(count, filled) {
      context = this;
      seen.push(String(filled.subarray(0, count)));
      return true;
    } } });
    client.on('data', assert.fail);
    const ended = once(client, 'end');
    client.pause();
    client.resume();
    accepted.end('0123456789');
    await ended;
    await closed(client);
    assert.equal(seen.join(''), '0123456789');
    assert.ok(context === client && seen.length >= 4);
  }
});

test('SK-03: bufferSize counts text that is not encoded yet', async () => {
  const { server, at } = await hearing([0, '127.0.0.1']);
  const socket = net.connect(at.port, '127.0.0.1');
  socket.write('ä');
  assert.ok(socket.bufferSize >= 1 && socket.bytesWritten === 2);
  await once(socket, 'connect');
  await finish(server, socket);
});

test('SK-05: who writes much is throttled by pause and resume', async () => {
  const [client, accepted] = await pair();
  accepted.on('data', (data) => {
    if (!client.destroyed && !accepted.write(data)) {
      accepted.pause();
      accepted.once('drain', () => accepted.resume());
    }
  });
  let got = 0;
  client.on('data', (data) => { got += data.length; });
  client.write(Buffer.alloc(4 << 20));
  while (got < 4 << 20)
    await once(client, 'data');
  client.destroy();
  accepted.destroy();
  await closed(client, accepted);
});

test('SK-14: kinds of data to end with', async () => {
  for (const [data, encoding, expected] of [['ä', undefined, 'ä'], ['YQ==', 'base64', 'a'], [Buffer.from('b'), 'base64', 'b'], [new Uint8Array([99]), undefined, 'c']]) {
    const [client, accepted] = await pair();
    client.end(data, encoding);
    assert.equal(await collect(accepted), expected);
  }
});

test('SK-23 SK-24: ref and unref of a socket give it back, again and again', async () => {
  const [client, accepted] = await pair();
  assert.equal(client.unref().unref().ref().ref(), client);
  assert.equal(new net.Socket().unref().ref().readyState, 'open');
  client.destroy();
  accepted.destroy();
  await closed(client, accepted);
});

test('SK-32: data as text', async () => {
  const [client, accepted] = await pair();
  assert.equal(client.setEncoding('utf8'), client);
  const seen = [];
  client.on('data', (text) => seen.push(text));
  accepted.write(Buffer.from([0xe2, 0x82]));
  while (client.bytesRead < 2)
    await new Promise(setImmediate);
  accepted.end(Buffer.from([0xac]));
  await once(client, 'end');
  assert.equal(seen.join(''), '€');
  assert.throws(() => new net.Socket().setEncoding('no such'), { code: 'ERR_UNKNOWN_ENCODING' });
});

test('SK-43 SK-45 SK-47: a timeout', async () => {
  const [client, accepted] = await pair();
  let calls = 0;
  assert.equal(client.timeout, undefined);
  assert.equal(client.setTimeout(20, () => { calls++; }), client);
  assert.equal(client.timeout, 20);
  await once(client, 'timeout');
  assert.deepEqual([calls, client.destroyed, client.writable], [1, false, true]);
  client.emit('timeout');
  assert.equal(calls, 1);
  client.setTimeout(0);
  assert.equal(client.timeout, 0);
  client.destroy();
  accepted.destroy();
  await closed(client, accepted);
});

test('SK-49 SK-50: kinds of data to write', async () => {
  const [client, accepted] = await pair();
  client.write('ä');
  client.write('e4', 'hex');
  client.write(Buffer.from('b'));
  client.write(new Uint8Array([99]));
  assert.throws(() => client.write(null), { code: 'ERR_STREAM_NULL_VALUES' });
  for (const data of [5, {}, undefined, true])
    assert.throws(() => client.write(data), { code: 'ERR_INVALID_ARG_TYPE' });
  client.end();
  assert.deepEqual(Buffer.concat(await accepted.toArray()), Buffer.concat([Buffer.from('ä'), Buffer.from([0xe4]), Buffer.from('bc')]));
});

test('NF-24: isIP of what is no text', () => {
  for (const value of [undefined, null, 5, {}, []])
    assert.equal(net.isIP(value), 0);
  assert.equal(net.isIP({ toString: () => '::1' }), 6);
  assert.deepEqual([net.isIPv4({ toString: () => '1.2.3.4' }), net.isIPv6(undefined)], [true, false]);
});
