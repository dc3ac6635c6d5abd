'use strict';

// The package's MessagePack: every format of the protocol, however the bytes are cut, and bytes that are none of it.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Decoder } = require('../../../../clients/node/lib/decode.cjs');
const { Encoder, encode } = require('../../../../clients/node/lib/encode.cjs');

const decode = (bytes) => {
  const frames = new Decoder().push(bytes);
  assert.equal(frames.length, 1);
  return frames[0];
};
const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');

const values = [
  null, true, false, 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff, 0x100000000, Number.MAX_SAFE_INTEGER,
  -1, -32, -33, -128, -129, -32768, -32769, -0x80000000, -0x80000001, Number.MIN_SAFE_INTEGER, 0.5, -1e300, Infinity,
  '', 'a', 'ä€😀', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(0xffff), 'x'.repeat(0x10000),
  [], [1, [2, [3]]], Array(15).fill(0), Array(16).fill(0), Array(0x10000).fill(0), {}, { a: 1, b: { c: [null] } }, { __proto__: null, ['__proto__']: 1 },
  Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i])), Object.fromEntries(Array.from({ length: 70000 }, (_, i) => [i, i])),
];

test('what is encoded is decoded', () => {
  for (const value of values)
    assert.deepEqual(decode(encode([value]))[0], Object(value) === value && !Array.isArray(value) ? { ...value } : value);
});

test('a frame that fails leaves nothing of itself', () => {
  const encoder = new Encoder();
  const large = Buffer.alloc(20_000);
  const failing = { get member() { throw new Error('in the middle'); } };
  encoder.frame([1], 1 << 20);
  for (const before of ['', 'x'.repeat(70_000), large])
    assert.throws(() => encoder.frame([2, before, failing], 1 << 20), { message: 'in the middle' });
  assert.ok(!encoder.borrows);
  encoder.frame([3, large], 1 << 20);
  assert.ok(encoder.borrows);
  assert.deepEqual(new Decoder().push(Buffer.concat(encoder.take())), [[1], [3, large]]);
});

test('numbers take the least room', () => {
  const size = (value) => encode(value).length;
  assert.deepEqual([0, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, -32, -33, -128, -129, 1.5].map(size),
    [1, 1, 2, 2, 3, 3, 5, 5, 9, 1, 2, 2, 3, 9]);
});

test('not-a-number and minus zero keep what they are', () => {
  const [nan, zero] = decode(encode([NaN, -0]));
  assert.ok(Number.isNaN(nan) && Object.is(zero, -0));
});

test('what is undefined is left out of maps, and nil elsewhere', () => {
  assert.deepEqual(decode(encode([{ a: undefined, b: 1 }, undefined])), [{ b: 1 }, null]);
});

test('binary of any size is a copy of its own', () => {
  for (const size of [0, 1, 255, 256, 0xffff, 0x10000, 1 << 20]) {
    const sent = Buffer.alloc(size, 7);
    const bytes = encode([sent]);
    const [got] = decode(bytes);
    bytes.fill(0);
    assert.ok(Buffer.isBuffer(got) && got.equals(sent));
  }
});

test('formats that the encoder never chooses are read', () => {
  assert.deepEqual(decode(hex('dc0001 ca3fc00000')), [1.5]);
  assert.deepEqual(decode(hex('dd00000001 d3ffffffffffffffff')), [-1]);
  assert.deepEqual(decode(hex('91 df00000001 a161 01')), [{ a: 1 }]);
  assert.deepEqual(decode(hex('91 db00000001 61')), ['a']);
  assert.deepEqual(decode(hex('91 cf0000000000000001')), [1]);
});

test('frames that are cut anywhere are put together', () => {
  const frames = [[2, 'socket.data', [1, Buffer.alloc(300, 1)]], [1, 2, null, { a: ['b', -5, 1.5] }], [2, 'x', []]];
  const bytes = Buffer.concat(frames.map(encode));
  for (let size = 1; size <= bytes.length; size++) {
    const decoder = new Decoder();
    const got = [];
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = Buffer.from(bytes.subarray(at, at + size));
      got.push(...decoder.push(chunk));
      chunk.fill(0xff); // it may be used again
    }
    assert.deepEqual(got, frames);
  }
});

test('what is no frame is refused', () => {
  for (const bytes of ['01', 'c0', 'a161', '81a16101', 'c1', '91c1', '91c7', '91d4', '91d8', '91c900000000'])
    assert.throws(() => new Decoder().push(hex(bytes)), /no frame/, bytes);
  assert.throws(() => new Decoder().push(Buffer.concat([Buffer.alloc(100, 0x91), hex('c0')])), /no frame/); // deeper than any
  const endless = new Decoder();
  assert.throws(() => {
    endless.push(hex('91c6ffffffff'));
    for (let i = 0; i < 1000; i++)
      endless.push(Buffer.alloc(1 << 16));
  }, /no frame/);
});

test('lengths that are announced take no memory', () => {
  const before = process.memoryUsage();
  for (const head of ['91c6ffffffff', '91dbffffffff', 'ddffffffff', '91dfffffffff'])
    assert.deepEqual(new Decoder().push(hex(head)), []);
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed < 16 << 20);
});

test('a page that was taken is not written over until it is given back', () => {
  const encoder = new Encoder();
  encoder.value(['first']);
  const [first] = encoder.take();
  const copy = Buffer.from(first);
  encoder.value(['other']);
  encoder.take();
  assert.ok(first.equals(copy));
  encoder.reuse();
  encoder.value(['third']);
  assert.deepEqual(decode(Buffer.concat(encoder.take())), ['third']);
});

test('payloads are in their places, copied or borrowed', () => {
  const encoder = new Encoder();
  const parts = [100, 1 << 16, 3, 1 << 20].map((size, i) => Buffer.alloc(size, i));
  for (const part of parts)
    encoder.value([2, 'socket.write', [1, part]]);
  assert.ok(encoder.borrows);
  const frames = new Decoder().push(Buffer.concat(encoder.take()));
  assert.deepEqual(frames.map(([, , [, got]]) => got), parts);
  assert.ok(!encoder.borrows);
});
