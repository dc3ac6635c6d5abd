'use strict';

// A connection whose bytes travel in frames of the session. It knows the windows of both directions.

const { Connection } = require('./connection.cjs');

const CROWDED_WINDOW = 16 * 1024; // bytes ahead of one socket, while half of the session's are taken

class InlineConnection extends Connection {
  #limit;
  #window;
  #sent = 0;
  #flushed = 0;

  _begin(done) {
    done();
  }

  _event(name, body) {
    if (name === 'socket.flushed')
      this.#onFlushed(body);
    else
      super._event(name, body);
  }

  // ---- reading ----

  // More may come as soon as half of the window was used, and only to who reads.
  _wantsMore() {
    if (this._over || !this.session.limits)
      return;
    this.#window ??= this.session.limits.readWindow;
    this.#limit ??= this.#window;
    if (this.#window === 0 || this.#limit - this.bytesRead > this.#window / 2)
      return;
    this.#limit = this.bytesRead + this.#window;
    this.notify('socket.credit', this.#limit);
  }

  _wantsNoMore() {}

  // ---- writing ----

  // Sends as much of the write as the windows take.
  pump() {
    const chunks = this._write?.chunks;
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
      this._written();
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
    if (this._lingers)
      this._letGo();
    this.owner?._unrefTimer();
    this.pump();
    this.session.pumpStuck();
  }

  // To a connection that has failed nothing is sent any more; its events say why.
  _sendEnd(done) {
    this.session.request('socket.end', this.id, undefined, () => done());
  }

  // ---- the end ----

  // What the program was told is written still goes out, as it would from a kernel's buffer.
  _letGo() {
    this._lingers = this.#flushed < this.#sent;
    if (!this._lingers)
      this.session.notify('socket.destroy', this.id);
  }

  _released() {
    this.session.unflushed -= this.#sent - this.#flushed;
    this.#flushed = this.#sent;
    this.session.stuck.delete(this);
    this.session.pumpStuck();
  }
}

module.exports = { InlineConnection };
