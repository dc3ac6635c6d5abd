// What the programs here share. None of it has to do with a broker: each runs under plain Node as well.
//
//     node PROGRAM server        prints `port N`, serves one client, ends
//     node PROGRAM client PORT   talks to a server on 127.0.0.1
//
// Each ends by itself, with status 0 and `ok` as its last line, or it has failed.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

export const [role, port] = [process.argv[2], Number(process.argv[3])];
export const host = '127.0.0.1';
export const account = { user: 'tester', password: 'correct horse' };

const size = 1_500_000; // bytes, each way

// No two of its 32-byte blocks are alike: lost, doubled and swapped bytes all show.
function make() {
  const blocks = [];
  for (let block = 0; block * 32 < size; block++)
    blocks.push(createHash('sha256').update(String(block)).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

export const payload = make();

export function check(received) {
  assert.equal(received.length, payload.length);
  assert.ok(payload.equals(Buffer.from(received)), 'the bytes are those that were sent');
}

export function ok() {
  console.log('ok');
}

// For a server's `listening` event.
export function announce(server) {
  console.log(`port ${server.address().port}`);
}

// Until the peer's end; this side stays open.
export async function collect(stream) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  await finished(stream, { writable: false });
  return Buffer.concat(parts);
}

const directory = process.env.TLS_DIRECTORY ?? '.';
const file = (name) => readFileSync(join(directory, name));

export const identity = () => ({ cert: file('cert.pem'), key: file('key.pem') });
export const trust = () => ({ ca: file('cert.pem') });

export { assert };
