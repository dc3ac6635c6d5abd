'use strict';

// net.Server over a server of the broker's. Node's own class is below it: it takes arguments and counts connections.

const { channel, tracingChannel } = require('node:diagnostics_channel');
const net = require('node:net');
const { share } = require('./block-list.cjs');
const { Listener } = require('./listener.cjs');
const { inTheirWords, resolve } = require('./locate.cjs');
const { session } = require('./session.cjs');
const { Socket } = require('./socket.cjs');
const worker = require('./worker.cjs');

const NativeServer = net.Server;
const native = NativeServer.prototype;
const serverSocketChannel = channel('net.server.socket');
const listenChannels = tracingChannel?.('net.server.listen'); // Node tells of the start
const kBlockList = Symbol('blockList');
const kListen = Symbol('listen');

function Server(options, connectionListener) {
  if (!(this instanceof Server))
    return new Server(options, connectionListener);
  NativeServer.call(this, options, connectionListener);
  this[kBlockList] = options?.blockList;
}
Object.setPrototypeOf(Server.prototype, native);
Object.setPrototypeOf(Server, NativeServer);

const methods = {
  listen(...args) {
    const normalized = net._normalizeArgs(args);
    const [options] = normalized;
    const source = options._handle ?? options.handle ?? options;
    this[kListen] = { ...options, shared: source instanceof Listener ? source : null };
    if (this[kListen].shared && !this._handle)
      return listenOn(this, args);
    return native.listen.apply(this, worker.unasked(args, normalized));
  },

  // Node's own listen comes here when it knows where; errors are told later, as Node's.
  _listen2(address, port, addressType, backlog, fd) {
    if (typeof fd === 'number' || this._handle)
      return native._listen2.call(this, address, port, addressType, backlog, fd); // the process's own
    begin(this, address, port, wanted(this[kListen], address, port, backlog));
  },

  onConnection(connection) {
    const drop = dropOf(this, connection.endpoints);
    if (drop) {
      this.emit('drop', connection.kind === 'tcp' ? drop : undefined);
      return connection.close(() => {});
    }
    const socket = new Socket({
      handle: connection, allowHalfOpen: this.allowHalfOpen, pauseOnCreate: this.pauseOnConnect,
      readableHighWaterMark: this.highWaterMark, writableHighWaterMark: this.highWaterMark,
      noDelay: this.noDelay, keepAlive: this.keepAlive, keepAliveInitialDelay: this.keepAliveInitialDelay * 1000 || undefined,
    });
    this._connections++;
    socket.server = this;
    socket._server = this;
    this.emit('connection', socket);
    if (serverSocketChannel.hasSubscribers)
      serverSocketChannel.publish({ socket });
  },
};
for (const [name, value] of Object.entries(methods))
  Object.defineProperty(Server.prototype, name, { value, writable: true, configurable: true });

function listenOn(server, args) {
  const callback = args.at(-1);
  if (typeof callback === 'function')
    server.once('listening', callback);
  begin(server, null, -1, { handle: { server: server[kListen].shared.id } });
  return server;
}

function wanted(options, address, port, backlog) {
  const common = { backlog: (backlog | 0) || undefined, exclusive: options.exclusive || undefined };
  if (port === -1)
    return { ...common, path: resolve(address), readableAll: options.readableAll, writableAll: options.writableAll };
  return { ...common, port, host: address ?? undefined, ipv6Only: options.ipv6Only === true || undefined };
}

function begin(server, address, port, where) {
  try {
    const current = session();
    const listener = new Listener(current, server);
    listener.listen(created(server, current), where);
    server._handle = listener;
    server._connectionKey = connectionKey(address, port, listener.address);
  } catch (error) {
    const named = where.path ? inTheirWords(error, address) : error;
    listenChannels?.error.publish({ server, error: named });
    return process.nextTick(() => server.emit('error', named));
  }
  listenChannels?.asyncEnd.publish({ server });
  if (server._unref)
    server.unref();
  process.nextTick(tellListening, server);
}

// What Node has there; some programs tell their servers apart by it.
function connectionKey(address, port, bound) {
  return port === -1 ? `-1:${address}:-1` : `${bound.family === 'IPv6' ? 6 : 4}:${address ?? bound.address}:${port}`;
}

function tellListening(server) {
  if (!server._handle)
    return;
  worker.announce(server, server[kListen]);
  server.emit('listening');
}

function created(server, current) {
  return {
    allowHalfOpen: true,
    noDelay: server.noDelay,
    keepAlive: server.keepAlive,
    keepAliveInitialDelay: server.keepAliveInitialDelay * 1000 || undefined,
    blockList: server[kBlockList] ? share(current, server[kBlockList]) : undefined,
  };
}

function dropOf(server, endpoints) {
  const isFull = server.maxConnections != null && server.maxConnections !== 0 && server._connections >= server.maxConnections;
  const { remoteAddress, remoteFamily } = endpoints;
  const isBlocked = remoteAddress && server[kBlockList]?.check(remoteAddress, remoteFamily.toLowerCase());
  return isFull || isBlocked ? { __proto__: null, ...endpoints } : null;
}

function createServer(options, connectionListener) {
  return new Server(options, connectionListener);
}

module.exports = { Server, createServer };
