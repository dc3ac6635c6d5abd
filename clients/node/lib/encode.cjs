'use strict';

// MessagePack, as much of it as the protocol uses: frames are put together in pages, payloads that are large go along
// by reference.

const PAGE = 64 * 1024;
const BY_REFERENCE = 16 * 1024; // bytes from which a payload is not worth copying
const MAX_HEAD = 9; // of any value

class Encoder {
  #page = Buffer.allocUnsafe(PAGE);
  #start = 0; // of what no chunk has yet
  #at = 0;
  #chunks = [];
  borrows = false; // bytes of a caller's, who wants to use them again soon

  // The bytes of all that came since the last take, in order.
  take() {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.borrows = false;
    return chunks;
  }

  // The whole value; or nothing of it, if it has more bytes than that (false), or if that throws: where the stack ends, or
  // when C++ calls with an exception pending.
  frame(values, most) {
    const [page, start, at, count, { borrows }] = [this.#page, this.#start, this.#at, this.#chunks.length, this];
    let isWhole = false;
    try {
      this.value(values);
      isWhole = this.#page === page && this.#chunks.length === count || this.#sizeFrom(count) - (at - start) <= most;
    } finally {
      if (!isWhole)
        [this.#page, this.#start, this.#at, this.#chunks.length, this.borrows] = [page, start, at, count, borrows];
    }
    return isWhole;
  }

  #sizeFrom(count) {
    return this.#chunks.slice(count).reduce((size, chunk) => size + chunk.length, this.#at - this.#start);
  }

  // Nobody uses any more what was taken.
  reuse() {
    this.#start = this.#at = 0;
  }

  value(value) {
    switch (typeof value) {
      case 'string': return this.#string(value);
      case 'number': return this.#number(value);
      case 'boolean': return this.#byte(value ? 0xc3 : 0xc2);
      case 'object': return this.#object(value);
      default: return this.#byte(0xc0);
    }
  }

  #object(value) {
    if (value === null)
      this.#byte(0xc0);
    else if (value instanceof Uint8Array)
      this.#binary(value);
    else if (Array.isArray(value))
      this.#array(value);
    else
      this.#map(value);
  }

  #array(items) {
    this.#head(items.length, 0x90, 15, 0, 0xdc);
    for (const item of items)
      this.value(item);
  }

  #map(object) {
    const entries = Object.entries(object).filter(([, value]) => value !== undefined);
    this.#head(entries.length, 0x80, 15, 0, 0xde);
    for (const [key, value] of entries) {
      this.#string(key);
      this.value(value);
    }
  }

  #string(text) {
    const length = Buffer.byteLength(text);
    this.#head(length, 0xa0, 31, 0xd9, 0xda);
    this.#room(length);
    this.#at += this.#page.write(text, this.#at);
  }

  #binary(bytes) {
    this.#head(bytes.length, 0, -1, 0xc4, 0xc5);
    if (bytes.length >= BY_REFERENCE) {
      this.#cut();
      this.#chunks.push(bytes);
      this.borrows = true;
      return;
    }
    this.#room(bytes.length);
    this.#page.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  // A length with the first byte of its narrowest form; one8 is 0 where there is no form of 8 bits.
  #head(length, fix, fixMax, one8, one16) {
    this.#room(MAX_HEAD);
    if (length <= fixMax) {
      this.#page[this.#at++] = fix | length;
    } else if (one8 && length < 0x100) {
      this.#page[this.#at++] = one8;
      this.#page[this.#at++] = length;
    } else if (length < 0x10000) {
      this.#page[this.#at++] = one16;
      this.#at = this.#page.writeUInt16BE(length, this.#at);
    } else {
      this.#page[this.#at++] = one16 + 1;
      this.#at = this.#page.writeUInt32BE(length, this.#at);
    }
  }

  #number(value) {
    this.#room(MAX_HEAD);
    if (!Number.isSafeInteger(value) || Object.is(value, -0))
      this.#wide(0xcb, 'writeDoubleBE', value);
    else if (value >= 0)
      this.#unsigned(value);
    else
      this.#negative(value);
  }

  #unsigned(value) {
    if (value < 0x80)
      this.#page[this.#at++] = value;
    else if (value < 0x100)
      this.#wide(0xcc, 'writeUInt8', value);
    else if (value < 0x10000)
      this.#wide(0xcd, 'writeUInt16BE', value);
    else if (value < 0x100000000)
      this.#wide(0xce, 'writeUInt32BE', value);
    else
      this.#wide(0xcf, 'writeBigUInt64BE', BigInt(value));
  }

  #negative(value) {
    if (value >= -0x20)
      this.#page[this.#at++] = value & 0xff;
    else if (value >= -0x80)
      this.#wide(0xd0, 'writeInt8', value);
    else if (value >= -0x8000)
      this.#wide(0xd1, 'writeInt16BE', value);
    else if (value >= -0x80000000)
      this.#wide(0xd2, 'writeInt32BE', value);
    else
      this.#wide(0xd3, 'writeBigInt64BE', BigInt(value));
  }

  #wide(first, write, value) {
    this.#page[this.#at++] = first;
    this.#at = this.#page[write](value, this.#at);
  }

  #byte(byte) {
    this.#room(1);
    this.#page[this.#at++] = byte;
  }

  #cut() {
    if (this.#at > this.#start)
      this.#chunks.push(this.#page.subarray(this.#start, this.#at));
    this.#start = this.#at;
  }

  #room(size) {
    if (this.#at + size <= this.#page.length)
      return;
    this.#cut();
    this.#page = Buffer.allocUnsafe(Math.max(PAGE, size));
    this.#start = this.#at = 0;
  }
}

function encode(value) {
  const encoder = new Encoder();
  encoder.value(value);
  return Buffer.concat(encoder.take());
}

module.exports = { Encoder, encode };
