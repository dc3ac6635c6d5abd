'use strict';

// What can only happen where there is a broker.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { join } = require('node:path');
const { describe, test } = require('node:test');
const { closed, net, pair } = require('./net.cjs');

const folder = process.env.NB_NET;
const internal = (name) => require(join(folder, 'lib', name));
const idOf = (socket) => socket[Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'connection')].id;
const isAttached = process.env.NETBROKER_DATA_PLANE === 'attach';

describe('over a broker', { skip: !folder }, () => {
  test('the data plane is the one that was asked for', async () => {
    const [client, accepted] = await pair();
    const { session } = internal('session.cjs');
    assert.equal(session().dataPlane, isAttached ? 'attach' : 'inline');
    client.write('x');
    await once(accepted, 'data');
    const byFrame = () => session().requestSync('socket.write', idOf(client), Buffer.from('y'));
    if (isAttached)
      assert.throws(byFrame, { code: 'ERR_NB_BUSY' });
    else
      assert.doesNotThrow(byFrame);
    client.destroy();
    await closed(client, accepted);
  });

  test('an end that comes when the broker has just lost the connection', async () => {
    const [client, accepted] = await pair();
    const { session } = internal('session.cjs');
    const seen = [];
    for (const event of ['finish', 'error', 'close'])
      client.on(event, (what) => seen.push(what?.code ?? event));
    session().notify('socket.destroy', idOf(client));
    client.end();
    await closed(client, accepted);
    assert.ok(!seen.includes('ERR_STREAM_DESTROYED'), seen);
  });

  test('what is more than a frame fails by itself', async () => {
    const [client, accepted, server] = await pair();
    const host = 'x'.repeat(3 << 20);
    const failures = [net.connect({ host, port: 1 }), net.connect({ path: `/${host}` }), net.createServer().listen(`/${host}`)];
    const errors = await Promise.all(failures.map((emitter) => once(emitter, 'error')));
    assert.deepEqual(errors.map(([{ code }]) => code), Array(3).fill('ERR_NB_FRAME_TOO_BIG'));
    const addresses = Array.from({ length: 200_000 }, () => ({ address: '127.0.0.1', family: 4 }));
    const lookup = (name, options, callback) => callback(null, addresses);
    const socket = net.connect({ host: 'name', port: server.address()?.port ?? 1, lookup, autoSelectFamily: true });
    await once(socket, 'error'); // nobody listens; the session goes on
    client.write('x');
    assert.equal(String((await once(accepted, 'data'))[0]), 'x');
    client.destroy();
    await closed(client, accepted);
  });

  test('no other data planes', () => {
    const { dataPlane } = internal('planes.cjs');
    assert.equal(dataPlane({}), 'inline');
    assert.equal(dataPlane({ NETBROKER_DATA_PLANE: '' }), 'inline');
    assert.throws(() => dataPlane({ NETBROKER_DATA_PLANE: 'other' }), {
      name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE',
      message: "NETBROKER_DATA_PLANE must be one of inline, attach. Received 'other'",
    });
  });

  test('more connections at once than may attach', { skip: !isAttached }, async () => {
    const server = net.createServer((socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = Array.from({ length: 50 }, () => net.connect(server.address().port, '127.0.0.1'));
    await Promise.all(sockets.map(async (socket, i) => {
      socket.end(`number ${i}`);
      const chunks = await socket.setEncoding('utf8').toArray();
      assert.equal(chunks.join(''), `number ${i}`);
    }));
    server.close();
  });
});
