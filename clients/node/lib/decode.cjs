'use strict';

// MessagePack frames out of chunks of any size. Each value is scanned once, however the chunks are cut, and memory is only
// taken for what has come. A chunk may be used again afterwards: frames share nothing with it.

const MAX_DEPTH = 32;
const LARGEST_FRAME = 16 * 1024 * 1024; // bytes
const ODD = 'The broker sent bytes that are no frame of its protocol';

// First byte -> [bytes of the length behind it, its unit, children]. Fixed sizes are units of a length of 0 bytes.
const SIZES = new Map([
  [0xc4, 1], [0xc5, 2], [0xc6, 4], [0xd9, 1], [0xda, 2], [0xdb, 4], // bin, str: bytes follow
]);
const SCALARS = new Map([
  [0xc0, 0], [0xc2, 0], [0xc3, 0], [0xca, 4], [0xcb, 8], [0xcc, 1], [0xcd, 2], [0xce, 4], [0xcf, 8],
  [0xd0, 1], [0xd1, 2], [0xd2, 4], [0xd3, 8],
]);
const GROUPS = new Map([[0xdc, [2, 1]], [0xdd, [4, 1]], [0xde, [2, 2]], [0xdf, [4, 2]]]); // [bytes, values an item]

// Finds where values end, and goes on where it was when more bytes have come.
class Scanner {
  at = 0;
  missing = 0; // at least so many bytes
  #left = 1; // values until the frame is whole

  // Whether a whole frame lies before `at`.
  scan(bytes, end) {
    while (this.#left > 0) {
      const size = this.#size(bytes, end);
      if (size === 0 || this.at + size > end) {
        this.missing = Math.max(1, this.at + size - end);
        return false;
      }
      this.#left += this.#children(bytes) - 1;
      this.at += size;
    }
    this.#left = 1;
    return true;
  }

  // Bytes of the value that begins here, without its children; 0: not known yet.
  #size(bytes, end) {
    if (this.at >= end)
      return 0;
    const first = bytes[this.at];
    if (first < 0xa0 || first >= 0xe0)
      return 1;
    if (first < 0xc0)
      return 1 + (first & 31);
    const group = GROUPS.get(first);
    if (group)
      return 1 + group[0];
    const width = SIZES.get(first);
    if (width === undefined)
      return 1 + scalar(first);
    return this.at + 1 + width > end ? 0 : 1 + width + bytes.readUIntBE(this.at + 1, width);
  }

  #children(bytes) {
    const first = bytes[this.at];
    if (first >= 0x80 && first < 0xa0)
      return first < 0x90 ? 2 * (first & 15) : first & 15;
    const group = GROUPS.get(first);
    return group && first >= 0xdc && first < 0xe0 ? group[1] * bytes.readUIntBE(this.at + 1, group[0]) : 0;
  }
}

function scalar(first) {
  const size = SCALARS.get(first);
  if (size === undefined)
    throw new Error(ODD);
  return size;
}

// Reads values that are known to be whole.
class Reader {
  frame(bytes, at) {
    this.bytes = bytes;
    this.at = at;
    this.depth = 0;
    return this.value();
  }

  value() {
    const first = this.bytes[this.at++];
    if (first < 0x80)
      return first;
    if (first >= 0xe0)
      return first - 0x100;
    if (first < 0x90)
      return this.#map(first & 15);
    if (first < 0xa0)
      return this.#array(first & 15);
    if (first < 0xc0)
      return this.#text(first & 31);
    return this.#other(first);
  }

  #other(first) {
    switch (first) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.#binary(this.#uint(1));
      case 0xc5: return this.#binary(this.#uint(2));
      case 0xc6: return this.#binary(this.#uint(4));
      case 0xca: return this.#take(4, 'readFloatBE');
      case 0xcb: return this.#take(8, 'readDoubleBE');
      case 0xcc: return this.#uint(1);
      case 0xcd: return this.#uint(2);
      case 0xce: return this.#uint(4);
      case 0xcf: return Number(this.#take(8, 'readBigUInt64BE'));
      case 0xd0: return this.#take(1, 'readInt8');
      case 0xd1: return this.#take(2, 'readInt16BE');
      case 0xd2: return this.#take(4, 'readInt32BE');
      case 0xd3: return Number(this.#take(8, 'readBigInt64BE'));
      case 0xd9: return this.#text(this.#uint(1));
      case 0xda: return this.#text(this.#uint(2));
      case 0xdb: return this.#text(this.#uint(4));
      case 0xdc: return this.#array(this.#uint(2));
      case 0xdd: return this.#array(this.#uint(4));
      case 0xde: return this.#map(this.#uint(2));
      case 0xdf: return this.#map(this.#uint(4));
      default: throw new Error(ODD);
    }
  }

  #take(size, read) {
    const value = this.bytes[read](this.at);
    this.at += size;
    return value;
  }

  #uint(width) {
    const value = this.bytes.readUIntBE(this.at, width);
    this.at += width;
    return value;
  }

  #binary(length) {
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at));
  }

  #text(length) {
    this.at += length;
    return this.bytes.utf8Slice(this.at - length, this.at);
  }

  #array(length) {
    this.#down();
    const items = [];
    for (let i = 0; i < length; i++)
      items.push(this.value());
    this.depth -= 1;
    return items;
  }

  #map(length) {
    this.#down();
    const object = {};
    for (let i = 0; i < length; i++) {
      const key = String(this.value());
      Object.defineProperty(object, key, { value: this.value(), configurable: true, enumerable: true, writable: true });
    }
    this.depth -= 1;
    return object;
  }

  #down() {
    if (++this.depth > MAX_DEPTH)
      throw new Error(ODD);
  }
}

class Decoder {
  #partial = Buffer.alloc(0); // of a frame that is not whole, its first #length bytes
  #length = 0;
  #scanner = new Scanner();
  #reader = new Reader();

  // The frames that are whole with this chunk. Throws at what cannot be a frame.
  push(chunk) {
    const frames = [];
    for (let at = 0; at < chunk.length;)
      at = this.#length === 0 ? this.#readInPlace(chunk, at, frames) : this.#complete(chunk, at, frames);
    return frames;
  }

  #readInPlace(chunk, start, frames) {
    checkFirst(chunk[start]);
    this.#scanner.at = start;
    if (this.#scanner.scan(chunk, chunk.length)) {
      frames.push(this.#reader.frame(chunk, start));
      return this.#scanner.at;
    }
    this.#append(chunk.subarray(start));
    this.#scanner.at -= start;
    return chunk.length;
  }

  #complete(chunk, start, frames) {
    const end = Math.min(chunk.length, start + this.#scanner.missing);
    this.#append(chunk.subarray(start, end));
    if (this.#scanner.scan(this.#partial, this.#length)) {
      frames.push(this.#reader.frame(this.#partial, 0));
      this.#length = 0;
    }
    return end;
  }

  #append(bytes) {
    const length = this.#length + bytes.length;
    if (length > LARGEST_FRAME)
      throw new Error(ODD);
    if (length > this.#partial.length)
      this.#grow(Math.min(2 * length, LARGEST_FRAME));
    this.#partial.set(bytes, this.#length);
    this.#length = length;
  }

  #grow(capacity) {
    const bytes = Buffer.allocUnsafeSlow(capacity);
    bytes.set(this.#partial.subarray(0, this.#length));
    this.#partial = bytes;
  }
}

function checkFirst(first) {
  if ((first & 0xf0) !== 0x90 && first !== 0xdc && first !== 0xdd)
    throw new Error(ODD);
}

module.exports = { Decoder };
