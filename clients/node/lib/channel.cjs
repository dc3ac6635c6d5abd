'use strict';

// A connection whose bytes have a stream of their own, a channel of the broker's. The session keeps the commands, and tells
// how the connection ended: that is passed on once the stream has ended, so that it comes behind all bytes.

const net = require('node:net');
const { setImmediate } = require('node:timers');
const { Connection } = require('./connection.cjs');
const { Decoder } = require('./decode.cjs');
const { Encoder } = require('./encode.cjs');
const errors = require('./errors.cjs');

const NativeSocket = net.Socket; // before anybody puts something else there
const MOST_ATTACHING = 16; // at a time; each is a session of the broker's until it is a channel
const REQUEST = 0, RESPONSE = 1;

const NEWS_OF_THE_END = new Set(['socket.end', 'socket.error', 'socket.close']);
// The connection has failed meanwhile, and its events say how.
const TOO_LATE = new Set(['ERR_NB_BUSY', 'ERR_SOCKET_CLOSED', 'ERR_NB_NO_SUCH_TARGET', 'ERR_NB_TOKEN']);

class ChannelConnection extends Connection {
  #stream = null;
  #mayFlow = false; // from the beginning until the stream has ended, or could not be had
  #news = []; // [name, body]: of the end, and not told
  #peerEnded = false; // and that was told
  #left = 0; // bytes that the kernel had not taken when it was last asked

  _event(name, body) {
    const isLate = name === 'socket.error' && this._write; // for who writes it is not
    if (NEWS_OF_THE_END.has(name) && (this.#mayFlow || this.#news.length > 0) && !isLate)
      this.#news.push([name, body]);
    else
      super._event(name, body);
  }

  // ---- the beginning ----

  _begin(done) {
    this.#mayFlow = true;
    takeTurn(() => this.session.request('socket.channel', this.id, undefined, (error, channel) => {
      if (error)
        this.#began(done, error);
      else
        attach(this.session.where.path, channel.token, (...outcome) => this.#began(done, ...outcome));
    }));
  }

  #began(done, error, stream, rest) {
    giveTurn();
    if (error && !TOO_LATE.has(error.code))
      return this.#fail(error);
    if (stream)
      this.#flow(stream, rest);
    try {
      this.runInAsyncScope(done);
    } finally {
      if (!stream)
        this.#ended();
    }
  }

  #fail(error) {
    this.#mayFlow = false;
    this.notify('socket.destroy');
    this.runInAsyncScope(this._fail, this, error, true);
  }

  #flow(stream, rest) {
    if (this._over)
      return stream.destroy();
    this.#stream = stream;
    if (rest.length > 0)
      this._arrived(rest);
    stream.on('data', (chunk) => this.runInAsyncScope(this._arrived, this, chunk));
    stream.on('end', () => this.#ended());
    stream.on('error', () => {}); // the session says why
    stream.on('close', () => this.#ended());
  }

  #ended() {
    if (!this.#mayFlow)
      return;
    this.#mayFlow = false;
    setImmediate(() => this.#tellNews());
  }

  // Each piece has a turn of its own, as if it came now.
  #tellNews() {
    if (this.#news.length === 0)
      return;
    const [name, body] = this.#news[0];
    this.#peerEnded ||= name === 'socket.end';
    try {
      this.runInAsyncScope(super._event, this, name, body);
    } finally {
      this.#news.shift();
      setImmediate(() => this.#tellNews());
    }
  }

  // ---- what the program asks for ----

  _wantsMore() {
    this.#stream?.resume();
  }

  _wantsNoMore() {
    this.#stream?.pause();
  }

  pump() {
    const write = this._write;
    if (!this.#stream)
      return;
    this.#stream.cork();
    const last = write.chunks.pop();
    for (const chunk of write.chunks)
      this.#stream.write(chunk);
    this.#stream.write(last, (error) => {
      if (!error && this._write === write)
        this.#written();
    });
    this.#stream.uncork();
    this.#left = this.#stream._handle?.writeQueueSize ?? 0;
  }

  movedOn() {
    const left = this.#stream?._handle?.writeQueueSize ?? 0;
    const hasMoved = this.#left > 0 && left !== this.#left;
    this.#left = left;
    return hasMoved;
  }

  #written() {
    this.owner?._unrefTimer();
    this._written();
  }

  // When the peer has ended before, the broker lets go next, and that is the news that all has gone out; or it tells an error.
  _sendEnd(done) {
    if (!this.#stream)
      return void setImmediate(done);
    this.#stream.end(() => {
      if (!this.#peerEnded)
        done();
    });
  }

  // What the stream has taken goes out.
  _letGo() {
    this._lingers = Boolean(this.#stream);
    if (this.#stream)
      this.#stream.destroy();
    else
      this.notify('socket.destroy');
  }

  _released() {
    this.#stream?.destroy();
    this.#stream = null;
  }
}

// ---- attaching ----

let attaching = 0;
const waiting = [];

function takeTurn(start) {
  if (attaching === MOST_ATTACHING)
    return void waiting.push(start);
  attaching++;
  start();
}

function giveTurn() {
  const next = waiting.shift();
  if (next)
    next();
  else
    attaching--;
}

// The callback gets an error, or a stream that is paused and the bytes that have come by it.
function attach(path, token, callback) {
  const stream = new NativeSocket({ allowHalfOpen: true });
  const decoder = new Decoder();
  let cause = null;

  function settle(...outcome) {
    for (const name of ['data', 'end', 'error', 'close'])
      stream.removeAllListeners(name);
    if (outcome[0])
      stream.on('error', () => {}).destroy();
    callback(...outcome);
  }
  function take(chunk) {
    const { answer, rest } = answerIn(decoder, chunk);
    if (!answer)
      return;
    stream.pause();
    const failure = answer[0] === RESPONSE ? answer[2] : answer[2][1];
    settle(failure && errors.fromMap(failure), stream, rest);
  }
  stream.on('data', (chunk) => {
    try {
      take(chunk);
    } catch (error) {
      settle(errors.lost(error.message));
    }
  });
  stream.on('error', (error) => { cause = error; });
  stream.on('end', () => stream.destroy());
  stream.on('close', () => settle(errors.lost(cause?.message)));
  stream.connect({ path });
  stream.unref();
  stream.write(frameOf([REQUEST, 1, 'session.attach', [0, { token }]]));
}

function frameOf(values) {
  const encoder = new Encoder();
  encoder.value(values);
  return Buffer.concat(encoder.take());
}

// Not a byte behind the answer may be taken for a part of it.
function answerIn(decoder, chunk) {
  for (let at = 0; at < chunk.length; at++) {
    const [answer] = decoder.push(chunk.subarray(at, at + 1));
    if (answer)
      return { answer, rest: chunk.subarray(at + 1) };
  }
  return {};
}

module.exports = { ChannelConnection };
