'use strict';

// Workers of a cluster: where Node would ask the primary for what a worker listens on, the broker has the workers share
// it, as sessions of one group. The primary hears of it all the same.

const cluster = require('node:cluster');

const listening = new Set(); // servers of this worker

// The name of the group that the session joins; undefined: none.
function group() {
  return process.env.NETBROKER_GROUP || (cluster.isWorker ? `node-cluster-${process.ppid}` : undefined);
}

const number = (value) => (Number(value) >= 0 ? Number(value) : undefined);

// The arguments of a listen, so that Node does not ask the primary.
function unasked(args, [options, callback]) {
  if (!cluster.isWorker || typeof options.fd === 'number')
    return args;
  const isAnyPort = args.length === 0 || typeof args[0] === 'function';
  const backlog = options.backlog || number(args[1]) || number(args[2]);
  return [{ ...options, ...(isAnyPort && { port: 0 }), backlog, exclusive: true }, ...(callback ? [callback] : [])];
}

// Tells the primary, whose `listening` event it becomes, and closes the server when the worker is disconnected.
function announce(server, { host, path, port }) {
  if (!cluster.isWorker || !process.connected)
    return;
  const addressType = path ? -1 : server.address().family === 'IPv6' && host ? 6 : 4;
  const address = path ?? host ?? null;
  process.send({ cmd: 'NODE_CLUSTER', act: 'listening', address, addressType, port: server.address().port ?? port ?? -1 });
  listening.add(server);
  server.once('close', () => listening.delete(server));
}

if (cluster.isWorker) {
  process.once('disconnect', () => {
    for (const server of listening)
      server.close();
  });
}

module.exports = { announce, group, unasked };
