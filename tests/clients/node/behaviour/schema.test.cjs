'use strict';

// The package says and hears only what the schema names.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const LIB = path.resolve(__dirname, '../../../../clients/node/lib');
const { METHODS, EVENTS } = require(path.join(LIB, 'schema.cjs'));
const ACTORS = '(?:net|session|socket|server|blockList)';

const names = () => fs.readdirSync(LIB).filter((file) => file !== 'schema.cjs').flatMap((file) =>
  [...fs.readFileSync(path.join(LIB, file), 'utf8').matchAll(new RegExp(`'(${ACTORS}\\.[a-zA-Z]+)'`, 'g'))].map(([, name]) => name));

test('names are those of the protocol', () => {
  const used = new Set(names());
  for (const name of ['socket.write', 'server.listen', 'socket.data'])
    assert.ok(used.has(name), name);
  const channels = ['net.client', 'net.server']; // of diagnostics
  const unknown = [...used].filter((name) => !METHODS.has(name) && !EVENTS.has(name) && !channels.some((prefix) => name.startsWith(prefix)));
  assert.deepEqual(unknown, []);
});
