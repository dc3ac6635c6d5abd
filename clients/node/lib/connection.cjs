'use strict';

// A socket of the broker's, below a Socket of the program's: what a handle is in Node. It knows the windows of both
// directions, and whether it keeps the process alive.

const { AsyncResource } = require('node:async_hooks');
const { fromMap } = require('./errors.cjs');

const CROWDED_WINDOW = 16 * 1024; // bytes ahead of one socket, while half of the session's are taken
const END = Symbol('end');
const brokenPipe = () => Object.assign(new Error('write EPIPE'), { errno: -32, code: 'EPIPE', syscall: 'write' });

class Connection extends AsyncResource {
  #incoming = []; // data, END or an Error that came while nobody reads
  #draining = false;
  #limit;
  #window;
  #sent = 0;
  #flushed = 0;
  #write = null; // {chunks, callback}: at most one at a time, what the window had no room for
  #shutdown = null;
  #onClosed = null;
  #holding = false;
  #opened = false; // the broker knows of it
  #over = false; // the broker has let go of it
  #lingers = false; // closed, but not all that was written is flushed
  #told = false; // an end or error has come
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
      if (error && !this.#over)
        this.#fail(error, true);
    });
  }

  accepted(endpoints) {
    this.endpoints = endpoints;
    this.#opened = true;
    return this;
  }

  notify(method, ...rest) {
    if (!this.#over)
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
    const busy = this.connecting || this.reading || this.#write || this.#shutdown || this.#onClosed;
    const holds = Boolean(this.refed && busy && !this.#over);
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
    this.runInAsyncScope(this.#event, this, name, body);
  }

  lost(error) {
    this.runInAsyncScope(this.#fail, this, error, true);
  }

  #event(name, body) {
    switch (name) {
      case 'socket.data': return this.#arrived(body);
      case 'socket.flushed': return this.#onFlushed(body);
      case 'socket.end': return this.#arrived(END);
      case 'socket.connect': return this.#connected(body);
      case 'socket.error':
      case 'session.error': return this.#fail(fromMap(body), false);
      case 'socket.close': return this.#closed();
      default: this.owner?.onHandleEvent(name, body);
    }
  }

  #connected(endpoints) {
    this.connecting = false;
    this.endpoints = endpoints ?? {};
    this.owner?.onConnected();
    this.#update();
  }

  #fail(error, over) {
    this.#told = true;
    const write = this.#write;
    if (over)
      this.#release();
    if (write && error.syscall === 'write') {
      this.#write = null;
      write.callback(error);
    } else if (!this.reading && this.#incoming.length > 0 && !over) {
      this.#incoming.push(error);
    } else {
      this.connecting = false;
      this.owner?.onFailed(error);
    }
    if (over)
      this.#settle();
  }

  #closed() {
    this.#release();
    if (!this.#told)
      this.owner?.onFailed(undefined);
    this.#settle();
  }

  #release() {
    this.#over = true;
    this.session.unflushed -= this.#sent - this.#flushed;
    this.#flushed = this.#sent;
    this.session.remove(this.id);
    this.session.stuck.delete(this);
    this.session.pumpStuck();
    this.#update();
  }

  // What still waits for an answer has it now, in Node's order.
  #settle() {
    const [write, shutdown, closed] = [this.#write, this.#shutdown, this.#onClosed];
    this.#write = this.#shutdown = this.#onClosed = null;
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
    this.#credit();
  }

  readStop() {
    this.reading = false;
    this.#update();
  }

  #arrived(item) {
    if (item === END)
      this.#told = true;
    if (this.reading && this.#incoming.length === 0)
      return this.#deliver(item);
    this.#incoming.push(item);
  }

  #drainLater() {
    if (this.#draining || this.#incoming.length === 0)
      return;
    this.#draining = true;
    setImmediate(() => {
      this.#draining = false;
      if (this.reading && this.#incoming.length > 0)
        this.runInAsyncScope(this.#deliver, this, this.#incoming.shift());
      if (this.reading)
        this.#drainLater();
    });
  }

  #deliver(item) {
    if (item === END) {
      this.readStop();
      this.owner?.onEnd();
    } else if (item instanceof Error) {
      this.owner?.onFailed(item);
    } else {
      this.bytesRead += item.length;
      if (this.owner?.onData(item) === false)
        this.readStop();
      this.#credit();
    }
  }

  // More may come as soon as half of the window was used, and only to who reads.
  #credit() {
    if (!this.reading || this.#over || !this.session.limits)
      return;
    this.#window ??= this.session.limits.readWindow;
    this.#limit ??= this.#window;
    if (this.#window === 0 || this.#limit - this.bytesRead > this.#window / 2)
      return;
    this.#limit = this.bytesRead + this.#window;
    this.notify('socket.credit', this.#limit);
  }

  // ---- writing ----

  // The callback comes once the window has taken all of it, at once if it can, as a kernel's buffer would. One at a time.
  write(chunks, callback) {
    for (const chunk of chunks)
      this.bytesWritten += chunk.length;
    const held = this.#incoming.find((item) => item instanceof Error);
    if (held || this.#over)
      return void setImmediate(callback, held ?? brokenPipe());
    this.#write = { chunks, callback };
    this.pump();
    this.#update();
  }

  // Sends as much of the write as the windows take.
  pump() {
    const chunks = this.#write?.chunks;
    while (chunks?.length > 0) {
      const size = Math.min(chunks[0].length, this.#room());
      if (size === 0 && chunks[0].length > 0)
        return;
      this.#send(chunks[0].subarray(0, size));
      if (size === chunks[0].length)
        chunks.shift();
      else
        chunks[0] = chunks[0].subarray(size);
    }
    if (chunks)
      this.#writeDone();
  }

  #send(bytes) {
    this.notify('socket.write', bytes);
    this.#sent += bytes.length;
    this.session.unflushed += bytes.length;
  }

  // Bytes that may be sent now; 0: pump is called when there are some. Peers that do not read take no more than half of the
  // session's window by themselves: then the others go on with small shares.
  #room() {
    const { maxWrite, writeWindow, sessionWriteWindow } = this.session.limits;
    const isCrowded = this.session.unflushed >= sessionWriteWindow / 2;
    const own = Math.min(writeWindow, isCrowded ? CROWDED_WINDOW : writeWindow) - (this.#sent - this.#flushed);
    const left = sessionWriteWindow - this.session.unflushed;
    if (left <= 0)
      this.session.stuck.add(this);
    return Math.max(0, Math.min(maxWrite, own, left));
  }

  #onFlushed(offset) {
    this.session.unflushed -= offset - this.#flushed;
    this.#flushed = offset;
    if (this.#lingers)
      this.#destroyOnceFlushed();
    this.owner?._unrefTimer();
    this.pump();
    this.session.pumpStuck();
  }

  #writeDone() {
    const write = this.#write;
    this.#write = null;
    this.#update();
    write?.callback(null);
  }

  // Sends FIN behind all that was written.
  shutdown(callback) {
    if (this.#over)
      return callback();
    this.#shutdown = callback;
    this.#update();
    this.session.request('socket.end', this.id, undefined, (error) => {
      const done = this.#shutdown;
      this.#shutdown = null;
      this.#update();
      if (done)
        this.runInAsyncScope(done, null, error && error.code !== 'ERR_SOCKET_CLOSED' ? error : undefined);
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
    else if (this.#opened && !this.#over)
      this.#destroyOnceFlushed();
    if (!this.#opened)
      this.session.remove(this.id);
    if (this.#over || !this.#opened || this.#lingers)
      setImmediate(() => this.runInAsyncScope(this.#settle, this));
    this.#update();
  }

  // What the program was told is written still goes out, as it would from a kernel's buffer.
  #destroyOnceFlushed() {
    this.#lingers = this.#flushed < this.#sent;
    if (!this.#lingers)
      this.session.notify('socket.destroy', this.id);
  }
}

module.exports = { Connection };
