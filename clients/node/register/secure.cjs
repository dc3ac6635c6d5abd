'use strict';

// TLS over sockets of the broker. Node can put its TLS on any stream, which it wraps to look like a socket of its own;
// here it learns of the connection below what a wrapped stream does not tell.

const { constants } = require('node:os');
const { lendMethods } = require('./stream-wrap.cjs');

const passedOn = [
  'lookup', 'ready', 'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout',
];

// What TLS has to say after its end (an alert, the answer to the peer's end) meets a closed pipe, and that matters to nobody.
function fallSilentAfterEnd(handle, socket) {
  const { onwrite } = handle;
  handle.onwrite = function (...request) {
    return socket.writableEnded ? -constants.errno.EPIPE : Reflect.apply(onwrite, this, request);
  };
}

// An error of the connection is one of the secured socket, as if its handle had failed; a write's after the end is none.
function passErrors(secured, wrap, socket) {
  wrap.removeAllListeners('error').on('error', (error) => {
    secured.destroy(socket.writableEnded && error.syscall === 'write' ? undefined : error);
  });
}

function wrapInit(TLSSocket, Socket) {
  const init = TLSSocket.prototype._init;
  TLSSocket.prototype._init = function _init(socket, wrap) {
    Reflect.apply(init, this, [socket, wrap]);
    if (socket instanceof Socket) {
      socket.allowHalfOpen = true; // TLS above says when to end: it may have to answer the peer's end first
      this._parent = null; // whose timers Node would see to; the broker's socket has its own
      this.connecting = socket.pending; // Node takes a socket without a handle for one that never gets connected
      lendMethods(wrap._handle, socket);
      fallSilentAfterEnd(wrap._handle, socket);
      passErrors(this, wrap, socket);
    }
  };
}

// (port, host, options, callback) in all their forms, as tls.connect takes them.
function normalize(args, normalizeArgs) {
  const [options, callback] = normalizeArgs(args);
  const more = [args[1], args[2]].find((arg) => arg !== null && typeof arg === 'object');
  return [{ ...options, ...more }, callback];
}

// What Node does for a socket that it makes, and not for one that it is given.
function readInto(secured, { buffer, callback }) {
  const own = Object.fromEntries(Object.getOwnPropertySymbols(secured).map((symbol) => [symbol.description, symbol]));
  const first = typeof buffer === 'function' ? buffer() : buffer;
  if (!(first instanceof Uint8Array) || typeof callback !== 'function')
    return;
  secured[own.kBuffer] = first;
  secured[own.kBufferGen] = typeof buffer === 'function' ? buffer : null;
  secured[own.kBufferCb] = callback;
  secured._handle.useUserBuffer(first);
}

function wrapConnect(tls, Socket, normalizeArgs) {
  const { connect: nativeConnect } = tls;
  tls.connect = function connect(...args) {
    const [options, callback] = normalize(args, normalizeArgs);
    if (options.socket)
      return nativeConnect(options, callback);
    const socket = new Socket({ allowHalfOpen: options.allowHalfOpen });
    const secured = nativeConnect({ ...options, socket }, callback ?? undefined);
    if (options.onread)
      readInto(secured, options.onread);
    for (const event of passedOn)
      socket.on(event, (...values) => secured.emit(event, ...values));
    if (options.timeout)
      secured.setTimeout(options.timeout);
    socket.connect(options);
    return secured;
  };
}

// Replaces what is needed in tls's exports and classes, for sockets of that class.
function secure(tls, Socket, normalizeArgs) {
  wrapInit(tls.TLSSocket, Socket);
  wrapConnect(tls, Socket, normalizeArgs);
}

module.exports = { secure };
