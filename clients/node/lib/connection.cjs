'use strict';

// A socket of the broker's, below a Socket of the program's: what a handle is in Node. It knows whether it keeps the
// process alive, and holds what comes while nobody reads. How its bytes travel is its subclasses' (planes.cjs): those have
//
//   _begin(done)     the broker has a connection: done() once bytes can travel
//   _wantsMore()     the program reads, or has just read something
//   _wantsNoMore()   it does not read any more
//   pump()           goes on with this._write; _written() when all of it is on its way
//   _sendEnd(done)   FIN behind all that was written; done() once it is sent, or cannot be
//   _letGo()         the program wants no more of it; what was written still goes out
//   _released()      the broker has let go of it

const { AsyncResource } = require('node:async_hooks');
const { setImmediate } = require('node:timers'); // what programs put in its place for their tests is not meant for us
const { brokenPipe, fromMap } = require('./errors.cjs');

const END = Symbol('end');

// It will run for who gives it now. AsyncResource.bind() does the same, and takes several times as long.
function forLater(callback) {
  const asked = new AsyncResource('NETBROKERREQUEST', { requireManualDestroy: true });
  return (error) => asked.runInAsyncScope(callback, undefined, error);
}

class Connection extends AsyncResource {
  #incoming = []; // data, END or an Error that came while nobody reads
  #draining = false;
  #shutdown = null;
  #onClosed = null;
  #holding = false;
  #opened = false; // the broker knows of it
  #beginning = false;
  #told = false; // an end or error has come
  _write = null; // {chunks, callback}: at most one at a time
  _over = false; // the broker has let go of it
  _lingers = false; // closed, but not all that was written has left the broker
  connecting = false;
  refed = true;
  reading = false;
  bytesRead = 0;
  bytesWritten = 0;
  owner = null; // the Socket: its on... methods are called

  constructor(session, id, kind) {
    super('NETBROKERSOCKET');
    this.session = session;
    this.id = id;
    this.kind = kind; // 'tcp' or 'pipe'
    this.endpoints = {};
    session.add(id, this);
  }

  connect(options) {
    this.connecting = this.#opened = true;
    this.#update();
    this.session.request('net.createConnection', this.id, options, (error) => {
      if (error && !this._over)
        this.runInAsyncScope(this._fail, this, error, true);
    });
  }

  // Of a server's: done() when it can be given to the program.
  accepted(endpoints, done) {
    this.endpoints = endpoints;
    this.#opened = true;
    this.#begin(done);
  }

  #begin(done) {
    this.#beginning = true;
    this.#update();
    this._begin(() => {
      this.#beginning = false;
      try {
        done();
      } finally {
        this.#update();
      }
    });
  }

  notify(method, ...rest) {
    if (!this._over)
      this.session.notify(method, this.id, ...rest);
  }

  ref() {
    this.refed = true;
    this.#update();
  }

  unref() {
    this.refed = false;
    this.#update();
  }

  // Counts for the process while something is to come of it, as a handle of libuv does.
  #update() {
    const busy = this.connecting || this.#beginning || this.reading || this._write || this.#shutdown || this.#onClosed;
    const holds = Boolean(this.refed && busy && !this._over);
    if (holds === this.#holding)
      return;
    this.#holding = holds;
    if (holds)
      this.session.hold();
    else
      this.session.letGo();
  }

  // ---- events ----

  event(name, body) {
    this.runInAsyncScope(this._event, this, name, body);
  }

  lost(error) {
    this.runInAsyncScope(this._fail, this, error, true);
  }

  _event(name, body) {
    switch (name) {
      case 'socket.data': return this._arrived(body);
      case 'socket.end': return this._arrived(END);
      case 'socket.connect': return this.#begin(() => this.#connected(body));
      case 'socket.error':
      case 'session.error': return this._fail(fromMap(body), false);
      case 'socket.close': return this.#closed();
      default: this.owner?.onHandleEvent(name, body);
    }
  }

  #connected(endpoints) {
    this.connecting = false;
    this.endpoints = endpoints ?? {};
    this.owner?.onConnected();
  }

  // over: nothing more will come of it.
  _fail(error, over) {
    this.#told = true;
    const write = this._write;
    if (over)
      this.#release();
    if (write && error.syscall === 'write') {
      this._write = null;
      write.callback(error);
    } else if (!this.reading && this.#incoming.length > 0 && !over) {
      this.#incoming.push(error);
    } else {
      this.connecting = false;
      this.owner?.onFailed(error);
    }
    if (over)
      setImmediate(() => this.#settle()); // behind the error that the stream tells in the next tick
  }

  #closed() {
    this.#release();
    if (!this.#told)
      this.owner?.onFailed(undefined);
    this.#settle();
  }

  #release() {
    this._over = true;
    this.session.remove(this.id);
    this._released();
    this.#update();
  }

  // What still waits for an answer has it now, in Node's order.
  #settle() {
    const [write, shutdown, closed] = [this._write, this.#shutdown, this.#onClosed];
    this._write = this.#shutdown = this.#onClosed = null;
    this.#update();
    write?.callback(null);
    shutdown?.();
    closed?.();
  }

  // ---- reading ----

  readStart() {
    this.reading = true;
    this.#update();
    this.#drainLater();
    this._wantsMore();
  }

  readStop() {
    this.reading = false;
    this.#update();
    this._wantsNoMore();
  }

  _arrived(item) {
    if (item === END)
      this.#told = true;
    if (this.reading && this.#incoming.length === 0)
      return this.#deliver(item);
    this.#incoming.push(item);
  }

  // What was delivered and not taken; it comes another time, if the program reads then.
  putBack(data) {
    this.bytesRead -= data.length;
    if (data.length > 0) {
      this.#incoming.unshift(data);
      this.#drainLater();
    }
  }

  #drainLater() {
    if (this.#draining || this.#incoming.length === 0)
      return;
    this.#draining = true;
    setImmediate(() => {
      this.#draining = false;
      try {
        if (this.reading && this.#incoming.length > 0)
          this.runInAsyncScope(this.#deliver, this, this.#incoming.shift());
      } finally {
        if (this.reading)
          this.#drainLater();
      }
    });
  }

  #deliver(item) {
    if (item === END) {
      this.readStop();
      this.owner?.onEnd();
    } else if (item instanceof Error) {
      this.owner?.onFailed(item);
    } else {
      this.#deliverData(item);
    }
  }

  // A listener that throws has had its data, and what comes next is for whoever catches that.
  #deliverData(data) {
    let wantsMore;
    this.bytesRead += data.length;
    try {
      wantsMore = this.owner?.onData(data);
    } finally {
      if (wantsMore === false)
        this.readStop();
      if (this.reading)
        this._wantsMore();
    }
  }

  // ---- writing ----

  // Whether some of a write has gone on its way since this was asked last, though not all.
  movedOn() {
    return false;
  }

  // The callback comes once all of it is on its way, at once if it can, as with a kernel's buffer. One at a time.
  write(chunks, callback) {
    for (const chunk of chunks)
      this.bytesWritten += chunk.length;
    const held = this.#incoming.find((item) => item instanceof Error);
    if (held || this._over)
      return void setImmediate(callback, held ?? brokenPipe());
    this._write = { chunks, callback };
    this.pump();
    if (this._write)
      this._write.callback = forLater(callback);
    this.#update();
  }

  _written() {
    const write = this._write;
    this._write = null;
    this.#update();
    write?.callback(null);
  }

  // Sends FIN behind all that was written.
  shutdown(callback) {
    if (this._over)
      return callback();
    this.#shutdown = forLater(callback);
    this.#update();
    this._sendEnd(() => {
      const done = this.#shutdown;
      this.#shutdown = null;
      this.#update();
      done?.();
    });
  }

  // ---- the end ----

  close(callback, reset = false) {
    this.reading = this.connecting = false;
    this.#incoming = [];
    this.owner = null;
    this.#onClosed = callback;
    if (reset)
      this.notify('socket.resetAndDestroy');
    else if (this.#opened && !this._over)
      this._letGo();
    if (!this.#opened)
      this.session.remove(this.id);
    if (this._over || !this.#opened || this._lingers)
      setImmediate(() => this.runInAsyncScope(this.#settle, this));
    this.#update();
  }
}

module.exports = { Connection };
