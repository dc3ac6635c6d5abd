'use strict';

// What Node wraps a stream into that has no handle, for HTTP/2 and TLS over it: made fit for sockets of the broker. It learns
// what a handle would answer, and takes it that HTTP/2 writes once more when a connection is going down, where Node's own
// ends the process.

const { constants } = require('node:os');

const CLOSED = -constants.errno.EPIPE;
const CANCELED = -constants.errno.ECANCELED;
const kQueue = Symbol('queue'); // writes that came while one was under way

// net.Socket's methods ask the handle.
function lendMethods(handle, socket) {
  const end = (name) => (out) => {
    const [address, port, family] = [socket[`${name}Address`], socket[`${name}Port`], socket[`${name}Family`]];
    Object.assign(out, address === undefined ? {} : { address, family, port });
    return 0;
  };
  let isRefed = true;
  Object.assign(handle, {
    getpeername: end('remote'),
    getsockname: end('local'),
    ref: () => { isRefed = true; socket.ref(); },
    unref: () => { isRefed = false; socket.unref(); },
    hasRef: () => isRefed,
    setNoDelay: (enable) => void socket.setNoDelay(enable),
    setKeepAlive: (enable, seconds) => void socket.setKeepAlive(enable, seconds * 1000),
  });
}

// HTTP/2 waits for its socket to be connected.
function followConnect(wrap, socket) {
  wrap.connecting = socket.connecting;
  if (socket.connecting) {
    socket.once('connect', () => {
      wrap.connecting = false;
      wrap.emit('connect');
    });
  }
}

// Node's class; undefined in a Node that does not give it out any more.
function wrapperClass() {
  const isQuiet = process.noDeprecation; // by the command line, and then nobody may set it
  if (!isQuiet)
    process.noDeprecation = true;
  try {
    return require('_stream_wrap');
  } catch {
    return undefined;
  } finally {
    if (!isQuiet)
      process.noDeprecation = isQuiet;
  }
}

// What Node's class keeps under symbols of its own, which are the same in each of its objects.
const symbols = {};
function own(object, name) {
  symbols[name] ??= Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
  return object[symbols[name]];
}

function fit(Wrapper, Socket) {
  const { doWrite, finishWrite, readStart } = Wrapper.prototype;

  Wrapper.prototype.readStart = function () { // for the first time when it is made
    if (this.stream instanceof Socket && !this[kQueue]) {
      this[kQueue] = [];
      lendMethods(this._handle, this.stream);
      followConnect(this, this.stream);
    }
    return readStart.call(this);
  };

  Wrapper.prototype.doWrite = function (request, buffers) {
    if (!this[kQueue])
      return doWrite.call(this, request, buffers);
    if (!this._handle)
      return CLOSED;
    if (own(this, 'kCurrentWriteRequest') === null && own(this, 'kCurrentShutdownRequest') === null)
      return doWrite.call(this, request, buffers);
    this[kQueue].push([request, buffers]);
    return 0;
  };

  Wrapper.prototype.finishWrite = function (handle, status) {
    finishWrite.call(this, handle, status);
    const queue = this[kQueue] ?? [];
    if (status < 0 || own(this, 'kPendingClose')) {
      for (const [request] of queue.splice(0))
        handle.finishWrite(request, status < 0 ? status : CANCELED);
    } else if (queue.length > 0 && own(this, 'kCurrentWriteRequest') === null) {
      this.doWrite(...queue.shift());
    }
  };
}

// From now on; `Socket` is the broker's.
function fitStreamWrap(Socket) {
  const Wrapper = wrapperClass();
  if (Wrapper)
    fit(Wrapper, Socket);
}

module.exports = { fitStreamWrap, lendMethods };
