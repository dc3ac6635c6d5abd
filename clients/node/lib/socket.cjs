'use strict';

// net.Socket over a socket of the broker. Node's own class is below it, and its code for streams, timeouts and arguments
// runs; what would touch one of Node's handles is done here. `_handle` stays null: who finds one there takes it for Node's.

const { channel } = require('node:diagnostics_channel');
const net = require('node:net');
const { clearTimeout, setImmediate } = require('node:timers');
const { share } = require('./block-list.cjs');
const { Connection } = require('./connection.cjs');
const { connectOptions, normalize } = require('./connect-options.cjs');
const errors = require('./errors.cjs');
const { inTheirWords } = require('./locate.cjs');
const { answerLookup, startLookup } = require('./lookup.cjs');
const { makeConnection } = require('./planes.cjs');
const { session } = require('./session.cjs');

const NativeSocket = net.Socket;
const native = NativeSocket.prototype;
const kConnection = Symbol('connection');
const kOnread = Symbol('onread');
const kOptions = Symbol('options');
const kCounts = Symbol('counts');
const kFound = Symbol('found');
const kPath = Symbol('path');
const kTimeout = Object.getOwnPropertySymbols(new NativeSocket()).find(({ description }) => description === 'timeout'); // Node's
const clientSocketChannel = channel('net.client.socket');

function Socket(options) {
  if (!(this instanceof Socket))
    return new Socket(options);
  const { handle, ...rest } = Object(typeof options === 'number' ? { fd: options } : options);
  const connection = handle instanceof Connection ? handle : null;
  this[kConnection] = null;
  this[kCounts] = null; // what the last connection has told, once it is gone
  this[kOptions] = { noDelay: Boolean(rest.noDelay), keepAlive: Boolean(rest.keepAlive), delay: rest.keepAliveInitialDelay };
  this[kOnread] = userBuffer(rest.onread);
  NativeSocket.call(this, connection || !handle ? rest : options);
  if (connection) {
    attach(this, connection);
    if (rest.pauseOnCreate)
      this.pause();
    else
      this.read(0);
  }
}
Object.setPrototypeOf(Socket.prototype, native);
Object.setPrototypeOf(Socket, NativeSocket);

// The program's own buffer, or the maker of one for each read; null: there is none.
function userBuffer(onread) {
  const { buffer, callback } = Object(onread);
  const isBuffer = buffer instanceof Uint8Array || typeof buffer === 'function';
  if (!isBuffer || typeof callback !== 'function')
    return null;
  return typeof buffer === 'function' ? { make: buffer, buffer: null, callback } : { make: null, buffer, callback };
}

// For the next read; without one, the last is used again.
function makeBuffer(onread) {
  const next = onread?.make?.();
  if (next instanceof Uint8Array)
    onread.buffer = next;
}

function attach(socket, connection) {
  socket[kConnection] = connection;
  connection.owner = socket;
  makeBuffer(socket[kOnread]);
}

const define = (name, get) => Object.defineProperty(Socket.prototype, name, { get, configurable: true, enumerable: true });
const usesNode = (socket) => Boolean(socket._handle); // made of a descriptor, or of a handle of Node's

const methods = {
  connect(...args) {
    const [options, callback] = normalize(args);
    const isPath = Boolean(options.path);
    if (callback)
      this.once('connect', callback);
    if (options.port === undefined && options.path == null)
      throw errors.coded(TypeError, 'ERR_MISSING_ARGS', 'The "options" or "port" or "path" argument must be specified');
    if (this.write !== Socket.prototype.write)
      this.write = Socket.prototype.write;
    if (this[kConnection] && !this.destroyed)
      return connectAgain(this, options);
    open(this, isPath ? 'pipe' : 'tcp');
    this._unrefTimer();
    this.connecting = true;
    start(this, options);
    return this;
  },

  _read(size) {
    if (usesNode(this))
      return native._read.call(this, size);
    if (this.connecting || !this[kConnection])
      this.once('connect', () => this._read(size));
    else
      startReading(this);
  },

  _writeGeneric(many, data, encoding, callback) {
    if (usesNode(this))
      return native._writeGeneric.call(this, many, data, encoding, callback);
    if (this.connecting)
      return native._writeGeneric.call(this, many, data, encoding, callback); // comes back when it is connected
    this._pendingData = null;
    this._pendingEncoding = '';
    if (!this[kConnection])
      return callback(errors.socketClosed());
    this._unrefTimer();
    this[kConnection].write(buffers(many, data, encoding), callback);
  },

  _final(callback) {
    if (usesNode(this))
      return native._final.call(this, callback);
    if (this.pending)
      return this.once('connect', () => this._final(callback));
    this[kConnection].shutdown(callback);
  },

  _destroy(error, callback) {
    if (usesNode(this))
      return native._destroy.call(this, error, callback);
    const connection = this[kConnection];
    this.connecting = false;
    this[kConnection] = null;
    clearTimeout(this[kTimeout]);
    if (connection) {
      this[kCounts] = { bytesRead: connection.bytesRead, bytesWritten: connection.bytesWritten };
      closeSoon(this, connection, Boolean(error));
    }
    callback(error);
    if (!connection)
      process.nextTick(() => this.emit('close'));
    const server = this._server;
    if (server) {
      server._connections--;
      server._emitCloseIfDrained();
    }
  },

  _onTimeout() {
    if (this[kConnection]?.movedOn())
      this._unrefTimer();
    else if (!this.destroyed)
      native._onTimeout.call(this);
  },

  resetAndDestroy() {
    if (usesNode(this))
      return native.resetAndDestroy.call(this);
    if (!this[kConnection])
      return this.destroy(errors.socketClosed());
    if (this[kConnection].kind !== 'tcp')
      throw errors.coded(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');
    if (this.connecting)
      this.once('connect', () => this._reset());
    else
      this._reset();
    return this;
  },

  setNoDelay(enable) {
    const noDelay = Boolean(enable === undefined ? true : enable);
    if (this[kConnection]?.kind === 'tcp' && noDelay !== this[kOptions].noDelay)
      this[kConnection].notify('socket.setNoDelay', { noDelay });
    this[kOptions].noDelay = noDelay;
    return usesNode(this) ? native.setNoDelay.call(this, enable) : this;
  },

  setKeepAlive(enable, delay) {
    const [keepAlive, initialDelay] = [Boolean(enable), Math.max(0, ~~(delay / 1000)) * 1000];
    if (this[kConnection]?.kind === 'tcp')
      this[kConnection].notify('socket.setKeepAlive', { enable: keepAlive, initialDelay });
    Object.assign(this[kOptions], { keepAlive, delay: initialDelay });
    return usesNode(this) ? native.setKeepAlive.call(this, enable, delay) : this;
  },

  ref() {
    return setRef(this, 'ref');
  },

  unref() {
    return setRef(this, 'unref');
  },

  pause() {
    if (this[kOnread] && !this.connecting)
      this[kConnection]?.readStop();
    return native.pause.call(this);
  },

  resume() {
    if (this[kOnread] && !this.connecting)
      startReading(this);
    return native.resume.call(this);
  },

  read(size) {
    if (this[kOnread] && !this.connecting)
      startReading(this);
    return native.read.call(this, size);
  },

  _getpeername() {
    if (usesNode(this))
      return native._getpeername.call(this);
    if (this[kConnection] && !this.connecting)
      this._peername = endpoint(this[kConnection], 'remote');
    return this._peername ?? {};
  },

  _getsockname() {
    if (usesNode(this))
      return native._getsockname.call(this);
    return this[kConnection] && !this.connecting ? endpoint(this[kConnection], 'local') : {};
  },

  // ---- what the connection tells ----

  onConnected() {
    if (this.destroyed)
      return;
    this.connecting = false;
    this._unrefTimer();
    this.emit('connect');
    this.emit('ready');
    if (!this.isPaused() && !this.destroyed)
      this.read(0);
  },

  // False: no more is wanted for now.
  onData(data) {
    this._unrefTimer();
    return this[kOnread]?.buffer ? fill(this, data) : this.push(data);
  },

  onEnd() {
    this.push(null);
    this.read(0);
  },

  onFailed(error) {
    const path = this[kPath];
    if (path && error?.syscall === 'connect') {
      inTheirWords(error, path);
      this.emit('connectionAttemptFailed', path, undefined, undefined, error);
    }
    this.destroy(error);
  },

  onHandleEvent(name, body) {
    if (name === 'socket.lookupRequest')
      answerLookup(this[kConnection]);
    else if (name === 'socket.lookup')
      found(this, body);
    else if (name.startsWith('socket.connectionAttempt'))
      attempt(this, name.slice('socket.'.length), body);
  },
};
for (const [name, value] of Object.entries(methods))
  Object.defineProperty(Socket.prototype, name, { value, writable: true, configurable: true });

function setRef(socket, how) {
  if (usesNode(socket))
    return native[how].call(socket);
  if (socket[kConnection])
    socket[kConnection][how]();
  else
    socket.once('connect', socket[how]);
  return socket;
}

function startReading(socket) {
  const connection = socket[kConnection];
  if (connection && !connection.reading)
    connection.readStart();
}

// A socket that is closed begins a new life.
function open(socket, kind) {
  if (socket.destroyed)
    socket._undestroy();
  socket._peername = null;
  socket[kCounts] = null;
  const current = session();
  attach(socket, makeConnection(current, current.newId(), kind));
}

// What the kernel makes of it: a connection under way fails, one that is there is told once more.
function connectAgain(socket, options) {
  if (socket.connecting)
    return socket.destroy(errors.already(options));
  connectOptions(options, socket[kOptions]); // throws what is wrong with them
  socket.connecting = true;
  setImmediate(() => socket.onConnected());
  return socket;
}

function start(socket, options) {
  const connection = socket[kConnection];
  try {
    const wanted = connectOptions(options, socket[kOptions]);
    socket._host = options.path || net.isIP(wanted.host) ? null : wanted.host;
    if (options.blockList)
      wanted.blockList = share(connection.session, options.blockList);
    socket[kPath] = options.path;
    if (options.path)
      socket.emit('connectionAttempt', options.path, undefined, undefined);
    socket[kFound] = wanted.autoSelectFamily ? new Set() : null; // its addresses
    if (wanted.lookup)
      startLookup(socket, connection, options, wanted);
    else
      connection.connect(wanted);
  } catch (error) {
    connection.session.remove(connection.id);
    socket[kConnection] = null;
    throw error;
  }
}

const JOIN = 64 * 1024; // bytes of small pieces that go out as one

function buffers(many, data, encoding) {
  if (!many)
    return [typeof data === 'string' ? Buffer.from(data, encoding) : data];
  const list = data.map(({ chunk, encoding }) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk));
  return list.reduce((sum, chunk) => sum + chunk.length, 0) <= JOIN ? [Buffer.concat(list)] : list;
}

function closeSoon(socket, connection, hadError) {
  const reset = Boolean(socket.resetAndClosing);
  socket.resetAndClosing = false;
  connection.close(() => socket.emit('close', hadError), reset);
}

function endpoint({ endpoints }, side) {
  const address = endpoints[`${side}Address`];
  return address === undefined ? {} : { address, family: endpoints[`${side}Family`], port: endpoints[`${side}Port`] };
}

function found(socket, { err, address, family, host }) {
  socket.emit('lookup', err ? errors.fromMap(err) : null, address, family, host);
  if (socket[kFound]?.add(address).size === 2)
    socket.autoSelectFamilyAttemptedAddresses = [];
}

function attempt(socket, name, { address, port, family, error }) {
  if (name === 'connectionAttempt' && socket[kFound]?.size > 1)
    socket.autoSelectFamilyAttemptedAddresses.push(`${address}:${port}`);
  const more = error ? [errors.fromMap(error)] : [];
  socket.emit(name, address, port, family, ...more);
}

// Fills the program's own buffer; the rest is read another time.
function fill(socket, data) {
  const onread = socket[kOnread];
  const connection = socket[kConnection];
  const part = data.subarray(0, onread.buffer.length);
  connection.putBack(data.subarray(part.length));
  if (part.length === 0)
    return socket.destroy(errors.noRoom());
  onread.buffer.set(part);
  const wantsMore = onread.callback.call(socket, part.length, onread.buffer);
  if (!socket.destroyed)
    makeBuffer(onread);
  return wantsMore;
}

const nativeGetter = (name) => Object.getOwnPropertyDescriptor(native, name).get;
const nativeBytesRead = nativeGetter('bytesRead');
const nativeDispatched = nativeGetter('_bytesDispatched');

define('pending', function pending() { return usesNode(this) ? this.connecting : !this[kConnection] || this.connecting; });
define('bytesRead', function bytesRead() { return (this[kConnection] ?? this[kCounts])?.bytesRead ?? nativeBytesRead.call(this); });
define('_bytesDispatched', function dispatched() {
  return (this[kConnection] ?? this[kCounts])?.bytesWritten ?? nativeDispatched.call(this);
});
define('bufferSize', function bufferSize() { return this[kConnection] || this._handle ? this.writableLength : undefined; });

function connect(...args) {
  const normalized = normalize(args);
  const [options] = normalized;
  const socket = new Socket(options);
  if (clientSocketChannel.hasSubscribers)
    clientSocketChannel.publish({ socket });
  if (options.timeout)
    socket.setTimeout(options.timeout);
  return socket.connect(normalized);
}

module.exports = { Socket, connect };
