'use strict';

// The one connection of a process, or of a worker thread, to the broker. All sockets and servers share it; it keeps the
// process alive only as long as one of them does. When it is lost, the next actor opens a new one.

const { readSync, writevSync } = require('node:fs'); // these, whatever a program's tests put in their place later
const net = require('node:net');
const { setImmediate, setTimeout } = require('node:timers');
const { Decoder } = require('./decode.cjs');
const { Encoder } = require('./encode.cjs');
const errors = require('./errors.cjs');
const { locate } = require('./locate.cjs');
const { dataPlane } = require('./planes.cjs');
const { PROTOCOL_VERSION } = require('./schema.cjs');
const worker = require('./worker.cjs');
const { version } = require('../package.json');

const NativeSocket = net.Socket; // before anybody puts something else there
const MAX_BUFFERS = 512; // in one writev
const READ_SIZE = 256 * 1024;
const ANSWER_DEADLINE = 30_000; // ms, where a program waits in the same tick
const EXIT_DEADLINE = 5000; // ms, in which the broker must have taken what a program said that exits
const NAP = 1; // ms, between looks at a socket that is not ready
const MAX_FRAME = 1 << 20; // bytes, as long as the broker has not said
const REQUEST = 0, RESPONSE = 1;

const { now } = Date;
const nap = new Int32Array(new SharedArrayBuffer(4));

class Session {
  #input = Buffer.allocUnsafeSlow(READ_SIZE);
  #encoder = new Encoder();
  #decoder = new Decoder();
  #unsent = []; // chunks that the kernel has not taken
  #flushing = false;
  #frames = []; // that came and are dispatched later, from #next on
  #next = 0;
  #actors = new Map();
  #pending = new Map(); // msgid -> callback
  #lastId = -1;
  #lastMessage = 0;
  #holds = 0;
  #reason = null; // of a fatal session.error
  #exitBy = 0; // when the process exits
  open = true;
  limits = null; // once the broker has answered
  unflushed = 0; // bytes written by all sockets that no kernel has yet
  stuck = new Set(); // sockets that wait for unflushed to fall

  constructor() {
    const onread = { buffer: this.#input, callback: (count) => this.#read(this.#input.subarray(0, count), true) };
    this.socket = new NativeSocket({ onread });
    this.socket.on('error', (cause) => this.#end(cause));
    this.socket.on('close', () => this.#end(null));
    try {
      this.dataPlane = dataPlane();
      this.where = locate();
    } catch (error) {
      this.#end(error);
      return;
    }
    this.socket.connect({ path: this.where.path });
    this.socket.unref();
    this.#hello();
  }

  #hello() {
    const group = worker.group();
    const features = ['flow'];
    if (group)
      features.push('group');
    if (this.dataPlane === 'attach')
      features.push('channel');
    const hello = { protocol: PROTOCOL_VERSION, client: { name: '@netbroker/net', version }, features, group };
    this.request('session.hello', 0, hello, (error, welcome) => {
      if (error)
        this.#end(error);
      else if (!features.every((feature) => welcome.features.includes(feature)))
        this.#end(new Error(`this broker is too old: it does not know all of ${features.join(', ')}`));
      else
        this.limits = welcome.limits;
    });
  }

  newId() {
    return (this.#lastId += 2);
  }

  // The actor's event(name, body) is called for all that happens to it, and lost(error) when the session is.
  add(id, actor) {
    this.#actors.set(id, actor);
  }

  remove(id) {
    this.#actors.delete(id);
  }

  // The sockets that wait for the session's window have a turn each, as long as there is room.
  pumpStuck() {
    for (const connection of this.stuck) {
      if (this.unflushed >= this.limits.sessionWriteWindow)
        return;
      this.stuck.delete(connection);
      connection.pump();
    }
  }

  // Each hold keeps the process alive until it is let go.
  hold() {
    if (this.#holds++ === 0)
      this.socket.ref();
  }

  letGo() {
    if (--this.#holds === 0)
      this.socket.unref();
  }

  notify(method, target, ...rest) {
    if (!this.#send([2, method, [target, ...rest]]) && this.open)
      setImmediate(() => this.#actors.get(target)?.event('session.error', errors.tooLarge()));
  }

  // The callback gets (error, result), never in this tick.
  request(method, target, body, callback) {
    const id = this.#nextMessage();
    this.#pending.set(id, callback);
    if (!this.#send([REQUEST, id, method, [target, body]]))
      setImmediate(() => this.#answer(id, this.failure ?? errors.tooLarge()));
    return id;
  }

  // Answers in this tick; throws the error. What else comes meanwhile is told later.
  requestSync(method, target, body) {
    let answer;
    const id = this.#nextMessage();
    this.#pending.set(id, (error, result) => { answer = { error, result }; });
    if (!this.#send([REQUEST, id, method, [target, body]]))
      this.#answer(id, this.failure ?? errors.tooLarge());
    const end = now() + ANSWER_DEADLINE;
    while (!answer) {
      this.#lookAtSocket(id);
      if (!answer && now() > end)
        this.#end(new Error(`no answer to ${method}`));
    }
    if (answer.error)
      throw answer.error;
    return answer.result;
  }

  // Returns when the broker has done all that it was told, or is lost.
  settle() {
    try {
      this.requestSync('session.ping', 0);
    } catch {
      // nothing more can be done by it
    }
  }

  #nextMessage() {
    do
      this.#lastMessage = (this.#lastMessage + 1) >>> 0;
    while (this.#pending.has(this.#lastMessage));
    return this.#lastMessage;
  }

  // ---- out ----

  // False: it is not on its way, and cannot be.
  #send(frame) {
    if (!this.open)
      return false;
    if (!this.#encoder.frame(frame, this.limits?.maxFrame ?? MAX_FRAME))
      return false;
    if (this.#exitBy)
      this.#flushSync();
    else if (this.#encoder.borrows)
      this.flush();
    else
      this.#flushLater(setImmediate);
    return true;
  }

  // Gives the kernel what it takes; goes on by itself with a copy of the rest.
  flush() {
    const isBlocked = this.#unsent.length > 0;
    const chunks = this.#encoder.take();
    this.#unsent.push(...(isBlocked ? chunks.map(copy) : chunks));
    if (!this.open || this.#writeAll())
      return;
    if (!isBlocked)
      this.#unsent = this.#unsent.map(copy);
    this.#flushLater(setTimeout, NAP);
  }

  // From now on the kernel has everything before it goes on; all in all that takes no longer than the deadline.
  exit() {
    this.#exitBy = now() + EXIT_DEADLINE;
    this.#flushSync();
  }

  #flushSync() {
    do
      this.flush();
    while (this.open && this.#unsent.length > 0 && now() < this.#exitBy && Atomics.wait(nap, 0, 0, NAP));
  }

  #flushLater(timer, delay) {
    if (this.#flushing)
      return;
    this.#flushing = true;
    const timing = timer(() => {
      this.#flushing = false;
      this.flush();
    }, delay);
    if (timer === setTimeout)
      timing.unref();
  }

  // Whether nothing is left.
  #writeAll() {
    try {
      while (this.#unsent.length > 0)
        this.#sent(writevSync(this.#descriptor(), this.#unsent.slice(0, MAX_BUFFERS)));
    } catch (error) {
      if (error.code === 'EAGAIN')
        return false;
      this.#unsent = []; // the reading side tells why, behind what the broker still said
    }
    this.#encoder.reuse();
    return true;
  }

  #sent(count) {
    let whole = 0;
    while (whole < this.#unsent.length && count >= this.#unsent[whole].length)
      count -= this.#unsent[whole++].length;
    this.#unsent.splice(0, whole);
    if (count > 0)
      this.#unsent[0] = this.#unsent[0].subarray(count);
  }

  #descriptor() {
    return this.socket._handle?.fd ?? -1;
  }

  // ---- in ----

  #lookAtSocket(awaited) {
    this.flush();
    try {
      const count = readSync(this.#descriptor(), this.#input, 0, READ_SIZE, null);
      if (count === 0)
        this.#end(null);
      else
        this.#read(this.#input.subarray(0, count), false, awaited);
    } catch (error) {
      if (error.code === 'EAGAIN')
        Atomics.wait(nap, 0, 0, NAP);
      else
        this.#end(error);
    }
    if (!this.open)
      this.#answer(awaited, this.failure);
  }

  #read(chunk, inLoop, awaited) {
    let frames;
    try {
      frames = this.#decoder.push(chunk);
    } catch (error) {
      return this.#end(error);
    }
    const idle = this.#next === this.#frames.length;
    for (const frame of frames) {
      if (frame[0] === RESPONSE && frame[1] === awaited)
        this.#dispatch(frame);
      else
        this.#later(frame);
    }
    if (inLoop && idle && this.#frames.length > this.#next)
      this.#dispatchNext();
  }

  // Each frame gets a turn of its own, so that what one listener has put into the tick queue runs before the next.
  #later(frame) {
    this.#frames.push(frame);
    setImmediate(() => this.#dispatchNext());
  }

  #dispatchNext() {
    if (this.#next === this.#frames.length)
      return;
    const frame = this.#frames[this.#next];
    this.#frames[this.#next++] = undefined;
    if (this.#next === this.#frames.length) {
      this.#frames = [];
      this.#next = 0;
    }
    if (typeof frame === 'function')
      frame();
    else
      this.#dispatch(frame);
  }

  #dispatch([type, name, ...rest]) {
    if (type === RESPONSE)
      this.#answer(name, rest[0] && errors.fromMap(rest[0]), rest[1]);
    else if (name === 'session.error')
      this.#refused(rest[0][1]);
    else
      this.#actors.get(rest[0][0])?.event(name, rest[0][1]);
  }

  #answer(id, error, result) {
    const callback = this.#pending.get(id);
    this.#pending.delete(id);
    callback?.(error, result);
  }

  #refused(body) {
    if (body.fatal)
      this.#reason = errors.fromMap(body);
    else
      this.#actors.get(body.target)?.event('session.error', body);
  }

  // ---- the end ----

  #end(cause) {
    if (!this.open)
      return;
    this.open = false;
    this.failure = this.#failure(cause);
    this.#unsent = [];
    this.socket.destroy();
    this.#later(() => this.#tellEnd());
  }

  #failure(cause) {
    if (!this.where)
      return cause;
    const isUnreachable = this.limits === null && cause?.code && cause.syscall;
    if (isUnreachable)
      return errors.unreachable(this.where.path, this.where.origin, connectError(cause));
    return errors.lost((this.#reason ?? cause)?.message);
  }

  #tellEnd() {
    const [callbacks, actors] = [[...this.#pending.values()], [...this.#actors.values()]];
    this.#pending.clear();
    this.#actors.clear();
    for (const callback of callbacks)
      setImmediate(callback, this.failure);
    for (const actor of actors)
      setImmediate(() => actor.lost(this.failure));
  }
}

// In the same tick a connect that failed shows by what its descriptor cannot do.
function connectError(cause) {
  if (cause.syscall === 'connect')
    return cause;
  return Object.assign(new Error('not connected'), { code: 'ENOENT', errno: -2 });
}

const copy = (chunk) => Buffer.from(chunk);

let current = null;

// The session of this thread, opened when there is none.
function session() {
  if (!current?.open) {
    current = new Session();
  }
  return current;
}

// What listeners that come later say goes out at once.
process.on('exit', () => current?.exit());

module.exports = { session };
