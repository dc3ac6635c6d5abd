'use strict';

// The module under test: node:net, or the package where NB_NET names its path. What holds for one must hold for the other.

const net = require(process.env.NB_NET || 'node:net');
const { once } = require('node:events');

// A server on a free port, its address, and what its connections are given to.
async function listening(onConnection, options = {}) {
  const server = net.createServer(options, onConnection);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

// Both ends of a connection: [client, accepted, server]; the server is closed with them.
async function pair(options = {}, serverOptions = {}) {
  const server = await listening(undefined, serverOptions);
  const accepting = once(server, 'connection');
  const client = net.connect({ port: server.address().port, host: '127.0.0.1', ...options });
  const [[accepted]] = await Promise.all([accepting, once(client, 'connect')]);
  server.close();
  return [client, accepted, server];
}

const closed = (...sockets) => Promise.all(sockets.map((socket) => (socket.closed ? null : once(socket, 'close'))));

module.exports = { closed, listening, net, pair };
